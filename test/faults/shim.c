/*
 * A layer between a process and its disk (LD_PRELOAD) that remembers how to take back whatever was not synced.
 *
 * For files under QUEZTL_FAULT_DIR it notes, in a journal under QUEZTL_FAULT_STATE, the old bytes and size before
 * every write and truncation, and every name made, moved or removed; an fsync of a file, or of the folder that holds
 * a name, settles what came before it. After a SIGKILL, powercut.ts takes back what was not settled: what a power cut
 * does to a system that had written nothing by itself. A file's name is durable only once its folder was synced,
 * which is stricter than most file systems are.
 *
 * The file "control" in QUEZTL_FAULT_STATE, read before every write and sync, holds "space=N eio=K": so many bytes
 * may files still grow (then ENOSPC), and so many syncs fail (EIO). Each change of the file starts the counts anew.
 * As in Linux, what a failed sync did not write stays lost even if a later sync of the file succeeds.
 *
 * Not covered: writes through mmap (SQLite's -shm needs no durability), io_uring (UV_USE_IO_URING=0), sendfile and
 * copy_file_range, renamed folders, two processes that write one file at the same time.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MAGIC 0x314a5a51u
#define FD_MAX 65536
#define JOURNAL_BYTES_MAX (1ull << 30)
#define INODES_MAX 65536
#define PATH_BYTES_MAX 4096

/* One entry of the journal; powercut.ts reads it. Then come path, second path and old bytes. */
struct entry {
  uint32_t magic;
  uint32_t type; /* W T write, truncate; S X synced, sync failed; C D created file, folder; U M removed file, folder; R */
  uint64_t seq;
  uint64_t inode;
  uint64_t parent;
  uint64_t offset;
  uint64_t old_size;
  uint32_t old_bytes;
  uint32_t new_bytes;
  uint32_t path_bytes;
  uint32_t path2_bytes;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned char covered_fd[FD_MAX];
static char root[PATH_BYTES_MAX], state[PATH_BYTES_MAX];
static size_t root_length;
static int ready, journal = -1, keep_all;
static uint64_t journal_bytes, last_seq, backups;
static struct { uint64_t inode, pending; } inodes[INODES_MAX];
static size_t inode_count;
static uint64_t pending_total;
static char control_text[128];
static int64_t space = -1, failing_syncs;

/* ---- the real calls ---------------------------------------------------------------------------------------- */

static int sys_open(int at, const char *path, int flags, mode_t mode) {
  return (int)syscall(SYS_openat, at, path, flags | O_LARGEFILE, mode);
}
static ssize_t sys_pwrite(int fd, const void *bytes, size_t length, off_t offset) {
  return syscall(SYS_pwrite64, fd, bytes, length, offset);
}
static ssize_t sys_write(int fd, const void *bytes, size_t length) { return syscall(SYS_write, fd, bytes, length); }
static void sys_close(int fd) { syscall(SYS_close, fd); }

static void die(const char *what) {
  char text[256];
  int length = snprintf(text, sizeof text, "fault shim: %s (errno %d)\n", what, errno);
  sys_write(2, text, (size_t)length);
  abort();
}

/* ---- what is covered --------------------------------------------------------------------------------------- */

static int is_on(void) {
  if (ready) return root_length > 0;
  const char *folder = getenv("QUEZTL_FAULT_DIR"), *aside = getenv("QUEZTL_FAULT_STATE");
  if (folder && aside && strlen(folder) < PATH_BYTES_MAX && strlen(aside) < PATH_BYTES_MAX - 64) {
    strcpy(root, folder);
    strcpy(state, aside);
    root_length = strlen(root);
  }
  ready = 1;
  return root_length > 0;
}

static int is_covered(const char *path) {
  size_t length = strlen(path);
  if (length > 4 && strcmp(path + length - 4, "-shm") == 0) return 0;
  return strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || path[root_length] == 0);
}

/* The absolute path of an open file; 0 when there is none. */
static int path_of(int fd, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_BYTES_MAX - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  return 1;
}

/* The absolute path of a name: its folder's, resolved, and the name. 0 when it is not covered. */
static int resolve(int at, const char *name, char *path) {
  char folder[PATH_BYTES_MAX];
  const char *slash = strrchr(name, '/');
  if (slash && strlen(name) >= PATH_BYTES_MAX) return 0;
  if (!slash) strcpy(folder, ".");
  else snprintf(folder, sizeof folder, "%.*s", slash == name ? 1 : (int)(slash - name), name);
  int fd = sys_open(at, folder, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  if (fd < 0) return 0;
  int found = path_of(fd, path);
  sys_close(fd);
  const char *last = slash ? slash + 1 : name;
  if (!found || strlen(path) + strlen(last) + 2 > PATH_BYTES_MAX) return 0;
  strcat(path, "/");
  strcat(path, last);
  return is_covered(path) && path[root_length] == '/';
}

static int is_marked(int fd) { return fd >= 0 && fd < FD_MAX && covered_fd[fd] && is_on(); }

/* Marks are made at open and never taken away, so a mark is only a hint. */
static int is_ours(int fd, struct stat *info) {
  char path[PATH_BYTES_MAX];
  if (fstat(fd, info) != 0 || !(S_ISREG(info->st_mode) || S_ISDIR(info->st_mode))) return 0;
  return path_of(fd, path) && is_covered(path);
}

static uint64_t inode_at(const char *path) {
  struct stat info;
  return lstat(path, &info) == 0 ? info.st_ino : 0;
}

static uint64_t parent_of(const char *path) {
  char folder[PATH_BYTES_MAX];
  strcpy(folder, path);
  *strrchr(folder, '/') = 0;
  return inode_at(folder[0] ? folder : "/");
}

/* ---- the journal ------------------------------------------------------------------------------------------- */

static void open_journal(void) {
  char name[PATH_BYTES_MAX + 64];
  /* A process before this one may have left entries about the same files: then every sync must be noted. */
  snprintf(name, sizeof name, "%s/started", state);
  int first = sys_open(AT_FDCWD, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  keep_all = first < 0;
  if (first >= 0) sys_close(first);
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  snprintf(name, sizeof name, "%s/journal.%d.%lld", state, getpid(), (long long)now.tv_sec * 1000000000 + now.tv_nsec);
  journal = sys_open(AT_FDCWD, name, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  if (journal < 0) die("the journal cannot be opened");
}

static uint64_t *pending_of(uint64_t inode, int make) {
  for (size_t at = 0; at < inode_count; at++)
    if (inodes[at].inode == inode) return &inodes[at].pending;
  if (!make) return NULL;
  for (size_t at = 0; at < inode_count; at++)
    if (inodes[at].pending == 0) {
      inodes[at].inode = inode;
      return &inodes[at].pending;
    }
  if (inode_count == INODES_MAX) die("too many unsynced files");
  inodes[inode_count].inode = inode;
  inodes[inode_count].pending = 0;
  return &inodes[inode_count++].pending;
}

static void note(struct entry entry, const char *path, const char *path2, const void *old) {
  if (journal < 0) open_journal();
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  uint64_t seq = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
  last_seq = seq > last_seq ? seq : last_seq + 1;
  entry.magic = MAGIC;
  entry.seq = last_seq;
  entry.path_bytes = path ? (uint32_t)strlen(path) : 0;
  entry.path2_bytes = path2 ? (uint32_t)strlen(path2) : 0;
  struct iovec parts[4] = {{&entry, sizeof entry},
                           {(void *)path, entry.path_bytes},
                           {(void *)path2, entry.path2_bytes},
                           {(void *)old, entry.old_bytes}};
  ssize_t length = (ssize_t)(sizeof entry + entry.path_bytes + entry.path2_bytes + entry.old_bytes);
  if (syscall(SYS_writev, journal, parts, 4) != length) die("the journal cannot be written");
  journal_bytes += (uint64_t)length;
  if (journal_bytes > JOURNAL_BYTES_MAX) die("the journal has grown too long");
}

/* An entry that a sync of `owner` settles. */
static void note_pending(struct entry entry, uint64_t owner, const char *path, const char *path2, const void *old) {
  note(entry, path, path2, old);
  ++*pending_of(owner, 1);
  pending_total++;
}

static void settle(uint64_t inode) {
  if (journal < 0) open_journal();
  uint64_t *pending = pending_of(inode, 0);
  if (!keep_all && (!pending || *pending == 0)) return;
  if (pending) {
    pending_total -= *pending;
    *pending = 0;
  }
  if (!keep_all && pending_total == 0) {
    if (syscall(SYS_ftruncate, journal, 0) != 0) die("the journal cannot be emptied");
    journal_bytes = 0;
    return;
  }
  note((struct entry){.type = 'S', .inode = inode}, NULL, NULL, NULL);
}

static void note_name(uint32_t type, const char *path, const char *path2, uint64_t inode) {
  uint64_t parent = parent_of(type == 'R' ? path2 : path);
  note_pending((struct entry){.type = type, .inode = inode, .parent = parent}, parent, path, path2, NULL);
}

/* Keeps a file that is about to lose its name. */
static void note_removal(const char *path) {
  uint64_t inode = inode_at(path);
  if (!inode) return;
  char backup[PATH_BYTES_MAX + 64];
  snprintf(backup, sizeof backup, "%s/backup.%d.%llu", state, getpid(), (unsigned long long)backups++);
  if (syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, backup, 0) != 0) die("a removed file cannot be kept");
  note_name('U', path, backup, inode);
}

static void *old_bytes(int fd, uint64_t offset, uint64_t length) {
  char *bytes = malloc(length ? length : 1);
  if (!bytes) die("out of memory");
  int reader = fd;
  for (uint64_t done = 0; done < length;) {
    ssize_t got = syscall(SYS_pread64, reader, bytes + done, length - done, offset + done);
    if (got < 0 && errno == EBADF && reader == fd) {
      char link[64];
      snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
      reader = sys_open(AT_FDCWD, link, O_RDONLY | O_CLOEXEC, 0);
      if (reader < 0) die("old bytes cannot be read");
      continue;
    }
    if (got <= 0) die("old bytes cannot be read");
    done += (uint64_t)got;
  }
  if (reader != fd) sys_close(reader);
  return bytes;
}

static void note_write(int fd, const struct stat *info, uint64_t offset, uint64_t length) {
  uint64_t size = (uint64_t)info->st_size;
  uint64_t old = offset >= size ? 0 : (offset + length > size ? size - offset : length);
  void *bytes = old_bytes(fd, offset, old);
  note_pending((struct entry){.type = 'W', .inode = info->st_ino, .offset = offset, .old_size = size,
                              .old_bytes = (uint32_t)old, .new_bytes = (uint32_t)length},
               info->st_ino, NULL, NULL, bytes);
  free(bytes);
}

static void note_truncate(int fd, const struct stat *info, uint64_t length) {
  uint64_t size = (uint64_t)info->st_size;
  uint64_t old = length < size ? size - length : 0;
  void *bytes = old_bytes(fd, length, old);
  note_pending((struct entry){.type = 'T', .inode = info->st_ino, .offset = length, .old_size = size,
                              .old_bytes = (uint32_t)old},
               info->st_ino, NULL, NULL, bytes);
  free(bytes);
}

/* ---- faults ------------------------------------------------------------------------------------------------- */

static void read_control(void) {
  char name[PATH_BYTES_MAX + 64], text[sizeof control_text] = {0};
  snprintf(name, sizeof name, "%s/control", state);
  int fd = sys_open(AT_FDCWD, name, O_RDONLY | O_CLOEXEC, 0);
  if (fd >= 0) {
    if (syscall(SYS_read, fd, text, sizeof text - 1) < 0) text[0] = 0;
    sys_close(fd);
  }
  if (strcmp(text, control_text) == 0) return;
  strcpy(control_text, text);
  const char *found = strstr(text, "space=");
  space = found ? atoll(found + 6) : -1;
  found = strstr(text, "eio=");
  failing_syncs = found ? atoll(found + 4) : 0;
}

/* How much of a write there is room for; 0 when the disk is full. Takes the room. */
static size_t room_for(const struct stat *info, uint64_t offset, size_t length) {
  uint64_t size = (uint64_t)info->st_size, end = offset + length;
  if (space < 0 || end <= size) return length;
  uint64_t growth = end - (offset > size ? offset : size);
  uint64_t granted = growth < (uint64_t)space ? growth : (uint64_t)space;
  space -= (int64_t)granted;
  return length - (size_t)(growth - granted);
}

/* ---- intercepted: bytes -------------------------------------------------------------------------------------- */

/* `offset` is -1 for a write at the file's own position. */
static ssize_t covered_write(int fd, const void *bytes, size_t length, off_t offset) {
  struct stat info;
  pthread_mutex_lock(&lock);
  ssize_t written;
  if (length == 0 || !is_ours(fd, &info)) {
    written = offset < 0 ? sys_write(fd, bytes, length) : sys_pwrite(fd, bytes, length, offset);
  } else {
    off_t at = offset;
    if (fcntl(fd, F_GETFL) & O_APPEND) at = info.st_size;
    else if (at < 0) at = (off_t)syscall(SYS_lseek, fd, 0, SEEK_CUR);
    read_control();
    size_t fits = room_for(&info, (uint64_t)at, length);
    if (fits == 0) {
      errno = ENOSPC;
      written = -1;
    } else {
      note_write(fd, &info, (uint64_t)at, fits);
      written = offset < 0 ? sys_write(fd, bytes, fits) : sys_pwrite(fd, bytes, fits, offset);
    }
  }
  pthread_mutex_unlock(&lock);
  return written;
}

static ssize_t covered_writev(int fd, const struct iovec *parts, int count, off_t offset) {
  size_t length = 0;
  for (int at = 0; at < count; at++) length += parts[at].iov_len;
  char *bytes = malloc(length ? length : 1), *next = bytes;
  if (!bytes) die("out of memory");
  for (int at = 0; at < count; at++) next = mempcpy(next, parts[at].iov_base, parts[at].iov_len);
  ssize_t written = covered_write(fd, bytes, length, offset);
  int error = errno;
  free(bytes);
  errno = error;
  return written;
}

ssize_t write(int fd, const void *bytes, size_t length) {
  return is_marked(fd) ? covered_write(fd, bytes, length, -1) : sys_write(fd, bytes, length);
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
  return is_marked(fd) ? covered_write(fd, bytes, length, offset) : sys_pwrite(fd, bytes, length, offset);
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return pwrite64(fd, bytes, length, offset); }
ssize_t writev(int fd, const struct iovec *parts, int count) {
  return is_marked(fd) ? covered_writev(fd, parts, count, -1) : syscall(SYS_writev, fd, parts, count);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
  /* The kernel takes the offset in two halves; on 64 bits the second is unused. */
  return is_marked(fd) ? covered_writev(fd, parts, count, offset) : syscall(SYS_pwritev, fd, parts, count, offset, 0);
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
  return pwritev64(fd, parts, count, offset);
}

int ftruncate64(int fd, off64_t length) {
  struct stat info;
  if (!is_marked(fd)) return (int)syscall(SYS_ftruncate, fd, length);
  pthread_mutex_lock(&lock);
  if (length >= 0 && is_ours(fd, &info) && S_ISREG(info.st_mode)) note_truncate(fd, &info, (uint64_t)length);
  int result = (int)syscall(SYS_ftruncate, fd, length);
  pthread_mutex_unlock(&lock);
  return result;
}
int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

static int covered_sync(int fd, long call) {
  struct stat info;
  if (!is_marked(fd)) return (int)syscall(call, fd);
  pthread_mutex_lock(&lock);
  int result = -1, ours = is_ours(fd, &info);
  if (ours) read_control();
  if (ours && failing_syncs > 0 && S_ISREG(info.st_mode)) {
    failing_syncs--;
    keep_all = 1;
    note((struct entry){.type = 'X', .inode = info.st_ino}, NULL, NULL, NULL);
    errno = EIO;
  } else {
    result = (int)syscall(call, fd);
    if (ours && result == 0) settle(info.st_ino);
  }
  pthread_mutex_unlock(&lock);
  return result;
}
int fsync(int fd) { return covered_sync(fd, SYS_fsync); }
int fdatasync(int fd) { return covered_sync(fd, SYS_fdatasync); }

/* ---- intercepted: names ------------------------------------------------------------------------------------ */

static int open_at(int at, const char *name, int flags, mode_t mode) {
  if (!is_on()) return sys_open(at, name, flags, mode);
  pthread_mutex_lock(&lock);
  int changes = (flags & (O_CREAT | O_TRUNC)) != 0;
  int existed = !changes || syscall(SYS_faccessat, at, name, F_OK) == 0;
  int fd = sys_open(at, name, flags & ~O_TRUNC, mode);
  int error = errno;
  char path[PATH_BYTES_MAX];
  struct stat info;
  if (fd >= 0 && fd < FD_MAX) {
    int covered = !(flags & O_PATH) && path_of(fd, path) && is_covered(path) && fstat(fd, &info) == 0;
    covered_fd[fd] = (unsigned char)covered;
    if (covered && !existed) note_name('C', path, NULL, info.st_ino);
    if ((flags & O_TRUNC) && existed) {
      if (covered && S_ISREG(info.st_mode) && info.st_size > 0) note_truncate(fd, &info, 0);
      /* Devices and pipes have nothing to cut off, and refuse. */
      syscall(SYS_ftruncate, fd, 0);
    }
  }
  errno = error;
  pthread_mutex_unlock(&lock);
  return fd;
}

#define MODE_OF(flags, mode)                                    \
  mode_t mode = 0;                                              \
  if ((flags) & (O_CREAT | O_TMPFILE)) {                        \
    va_list rest;                                               \
    va_start(rest, flags);                                      \
    mode = va_arg(rest, mode_t);                                \
    va_end(rest);                                               \
  }

int open(const char *name, int flags, ...) {
  MODE_OF(flags, mode)
  return open_at(AT_FDCWD, name, flags, mode);
}
int open64(const char *name, int flags, ...) {
  MODE_OF(flags, mode)
  return open_at(AT_FDCWD, name, flags, mode);
}
int openat(int at, const char *name, int flags, ...) {
  MODE_OF(flags, mode)
  return open_at(at, name, flags, mode);
}
int openat64(int at, const char *name, int flags, ...) {
  MODE_OF(flags, mode)
  return open_at(at, name, flags, mode);
}
int creat(const char *name, mode_t mode) { return open_at(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *name, mode_t mode) { return creat(name, mode); }

int unlinkat(int at, const char *name, int flags) {
  char path[PATH_BYTES_MAX];
  if (!is_on()) return (int)syscall(SYS_unlinkat, at, name, flags);
  pthread_mutex_lock(&lock);
  int covered = resolve(at, name, path);
  uint64_t inode = covered ? inode_at(path) : 0;
  if (covered && !(flags & AT_REMOVEDIR)) note_removal(path);
  int result = (int)syscall(SYS_unlinkat, at, name, flags);
  if (result == 0 && covered && (flags & AT_REMOVEDIR)) note_name('M', path, NULL, inode);
  pthread_mutex_unlock(&lock);
  return result;
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }

int mkdirat(int at, const char *name, mode_t mode) {
  char path[PATH_BYTES_MAX];
  if (!is_on()) return (int)syscall(SYS_mkdirat, at, name, mode);
  pthread_mutex_lock(&lock);
  int result = (int)syscall(SYS_mkdirat, at, name, mode);
  int error = errno;
  if (result == 0 && resolve(at, name, path)) note_name('D', path, NULL, inode_at(path));
  errno = error;
  pthread_mutex_unlock(&lock);
  return result;
}
int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }

int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
  char old_path[PATH_BYTES_MAX], new_path[PATH_BYTES_MAX];
  if (!is_on()) return (int)syscall(SYS_renameat2, from_at, from, to_at, to, flags);
  pthread_mutex_lock(&lock);
  if (resolve(from_at, from, old_path) && resolve(to_at, to, new_path) && inode_at(old_path)) {
    if (inode_at(new_path)) note_removal(new_path);
    note_name('R', old_path, new_path, inode_at(old_path));
  }
  int result = (int)syscall(SYS_renameat2, from_at, from, to_at, to, flags);
  pthread_mutex_unlock(&lock);
  return result;
}
int renameat(int from_at, const char *from, int to_at, const char *to) {
  return renameat2(from_at, from, to_at, to, 0);
}
int rename(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }
