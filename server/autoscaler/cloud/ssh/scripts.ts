/**
 * What is run on a machine of the pool, in POSIX's shell. What a cloud keeps, a folder on the machine keeps
 * (~/.queztl/<cluster>/<instance>), so that another process of the coordinator finds it again.
 */
import type { LaunchOrder } from "../provider.ts";
import { quoted } from "../quoted.ts";

const root = '"$HOME/.queztl"';

export const describeScript = `
cores=$(nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 1)
memory=$(awk '/^MemTotal/ { print $2 }' /proc/meminfo 2>/dev/null)
[ -n "$memory" ] || memory=$(( $(sysctl -n hw.memsize 2>/dev/null || echo 0) / 1024 ))
echo "$cores $memory"
`;

/** Prints a line for each folder: instance, order, seconds since 1970 of its start, and whether its process is there. */
export const listScript = (cluster: string): string => `
cd ${root}/${quoted(cluster)} 2>/dev/null || exit 0
for id in *; do
  [ -f "$id/order" ] || continue
  pid=$(cat "$id/pid" 2>/dev/null || echo 0)
  state=gone
  # The number may be another process's by now.
  if [ "$pid" -gt 0 ] && kill -0 "$pid" 2>/dev/null && ps -o args= -p "$pid" | grep -q -- "$id"; then state=running; fi
  if [ "$state" = gone ] && [ -n "$(find "$id" -maxdepth 0 -mtime +1)" ]; then rm -rf "./$id"; continue; fi
  echo "$id $(cat "$id/order") $(cat "$id/started" 2>/dev/null || echo 0) $state"
done
`;

/** The folder is the record: with its order in it, the same order is not started again. */
export function startScript({ token, cluster, boot }: LaunchOrder, id: string): string {
  const coordinator = boot.coordinatorUrl.replace(/\/+$/, "");
  return `
set -e
umask 077
dir=${root}/${quoted(cluster)}/${quoted(id)}
[ -f "$dir/order" ] && exit 0
command -v node >/dev/null || { echo "node is not installed" >&2; exit 3; }
mkdir -p "$dir"
cd "$dir"
curl -sSf --max-time 15 -o worker.mjs ${quoted(`${coordinator}/worker.mjs`)}
date +%s > started
echo ${quoted(token)} > order
QUEZTL_JOIN_TOKEN=${quoted(`${boot.joinToken}:${id}`)} QUEZTL_MODE=worker nohup node worker.mjs \\
  --coordinator ${quoted(coordinator)} --data "$dir/data" --name ${quoted(`instance ${id}`)} \\
  --end-after ${Math.ceil(boot.lifetimeMs / 1000)} --end-if-silent ${Math.ceil(boot.silenceMs / 1000)} \\
  </dev/null >log 2>&1 &
echo $! > pid
`;
}

/** Told to end, and killed where it does not within four seconds. */
export const endScript = (ids: readonly string[]): string => `
cd ${root} 2>/dev/null || exit 0
for id in ${ids.map(quoted).join(" ")}; do
  for dir in */"$id"; do
    pid=$(cat "$dir/pid" 2>/dev/null || echo 0)
    [ "$pid" -gt 0 ] && ps -o args= -p "$pid" | grep -q -- "$id" || continue
    kill -TERM "$pid" 2>/dev/null || continue
    ( for n in 1 2 3 4 5 6 7 8; do sleep 0.5; kill -0 "$pid" 2>/dev/null || exit 0; done; kill -KILL "$pid" ) >/dev/null 2>&1 &
  done
done
`;
