/* The end-to-end test's oracle: SHA-256d over the nonces of Bitcoin's block 0, as FIPS 180-4 writes it down, sharing
   nothing with the kernels. Prints the lowest hash, its nonce, and how many hashes have at least `zeros` leading zero bits.
   cc -O3 -o oracle oracle.c && ./oracle 314572800 19 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint32_t K[64] = {
  0x428a2f98,0x71374491,0xb5c0fbcf,0xe9b5dba5,0x3956c25b,0x59f111f1,0x923f82a4,0xab1c5ed5,0xd807aa98,0x12835b01,0x243185be,0x550c7dc3,
  0x72be5d74,0x80deb1fe,0x9bdc06a7,0xc19bf174,0xe49b69c1,0xefbe4786,0x0fc19dc6,0x240ca1cc,0x2de92c6f,0x4a7484aa,0x5cb0a9dc,0x76f988da,
  0x983e5152,0xa831c66d,0xb00327c8,0xbf597fc7,0xc6e00bf3,0xd5a79147,0x06ca6351,0x14292967,0x27b70a85,0x2e1b2138,0x4d2c6dfc,0x53380d13,
  0x650a7354,0x766a0abb,0x81c2c92e,0x92722c85,0xa2bfe8a1,0xa81a664b,0xc24b8b70,0xc76c51a3,0xd192e819,0xd6990624,0xf40e3585,0x106aa070,
  0x19a4c116,0x1e376c08,0x2748774c,0x34b0bcb5,0x391c0cb3,0x4ed8aa4a,0x5b9cca4f,0x682e6ff3,0x748f82ee,0x78a5636f,0x84c87814,0x8cc70208,
  0x90befffa,0xa4506ceb,0xbef9a3f7,0xc67178f2};
static const uint32_t IV[8] = {0x6a09e667,0xbb67ae85,0x3c6ef372,0xa54ff53a,0x510e527f,0x9b05688c,0x1f83d9ab,0x5be0cd19};
#define R(x, n) (((x) >> (n)) | ((x) << (32 - (n))))

static void block(uint32_t h[8], const uint32_t m[16]) {
  uint32_t w[64], s[8];
  for (int i = 0; i < 16; i++) w[i] = m[i];
  for (int i = 16; i < 64; i++)
    w[i] = w[i-16] + (R(w[i-15],7) ^ R(w[i-15],18) ^ (w[i-15] >> 3)) + w[i-7] + (R(w[i-2],17) ^ R(w[i-2],19) ^ (w[i-2] >> 10));
  memcpy(s, h, 32);
  for (int i = 0; i < 64; i++) {
    uint32_t t1 = s[7] + (R(s[4],6) ^ R(s[4],11) ^ R(s[4],25)) + ((s[4] & s[5]) ^ (~s[4] & s[6])) + K[i] + w[i];
    uint32_t t2 = (R(s[0],2) ^ R(s[0],13) ^ R(s[0],22)) + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
    for (int j = 7; j > 0; j--) s[j] = s[j-1];
    s[4] += t1;
    s[0] = t1 + t2;
  }
  for (int i = 0; i < 8; i++) h[i] += s[i];
}

int main(int argc, char **argv) {
  const char *hex = "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d00000000";
  uint64_t nonces = strtoull(argv[1], 0, 10);
  int zeros = atoi(argv[2]);
  uint32_t words[20], best[8], bestNonce = 0;
  (void)argc;
  for (int i = 0; i < 20; i++) { char part[9] = {0}; memcpy(part, hex + 8 * i, 8); words[i] = (uint32_t)strtoul(part, 0, 16); }
  memset(best, 0xff, sizeof best);
  uint32_t middle[8];
  memcpy(middle, IV, 32);
  block(middle, words);
  uint64_t count = 0;
  for (uint64_t nonce = 0; nonce < nonces; nonce++) {
    uint32_t tail[16] = {words[16], words[17], words[18], __builtin_bswap32((uint32_t)nonce), 0x80000000u};
    tail[15] = 640;
    uint32_t first[8], second[16] = {0}, out[8];
    memcpy(first, middle, 32);
    block(first, tail);
    memcpy(second, first, 32);
    second[8] = 0x80000000u;
    second[15] = 256;
    memcpy(out, IV, 32);
    block(out, second);
    /* As a number the hash is little-endian: its last bytes come first. */
    uint32_t number[8];
    for (int i = 0; i < 8; i++) number[i] = __builtin_bswap32(out[7 - i]);
    if (number[0] >> (32 - zeros) == 0) count++;
    for (int i = 0; i < 8; i++) {
      if (number[i] == best[i]) continue;
      if (number[i] < best[i]) { memcpy(best, number, 32); bestNonce = (uint32_t)nonce; }
      break;
    }
  }
  printf("{\"nonces\": %llu, \"zeros\": %d, \"count\": %llu, \"nonce\": %u, \"hash\": \"", (unsigned long long)nonces, zeros, (unsigned long long)count, bestNonce);
  for (int i = 0; i < 8; i++) printf("%08x", best[i]);
  printf("\"}\n");
  return 0;
}
