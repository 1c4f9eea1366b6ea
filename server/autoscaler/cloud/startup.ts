/**
 * What a rented machine does from its first second: a shell script for cloud-init and its like. It sees to it that the
 * machine ends whatever happens (a shutdown timer, and the worker's own limits), fetches Node where there is none and the
 * worker from the coordinator, and hands leases back when the cloud says that it takes the machine away.
 */
import type { Boot } from "./provider.ts";
import { quoted } from "./quoted.ts";

/** How a machine asks its cloud who it is and whether it is being taken back. Shell commands. */
export interface Metadata {
  /** Functions that the two others call. */
  functions: string;
  /** Prints the instance's id in the cloud. */
  id: string;
  /** Succeeds once the cloud has said that it takes the machine back. */
  interrupted: string;
}

/** Instance metadata of EC2, version 2: a token first. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html */
export const ec2Metadata: Metadata = {
  id: "metadata instance-id",
  interrupted: "metadata spot/instance-action",
  functions: `
IMDS=\${QUEZTL_IMDS:-http://169.254.169.254}
metadata() {
  local token
  token=$(curl -sf -m 2 -X PUT "$IMDS/latest/api/token" -H "X-aws-ec2-metadata-token-ttl-seconds: 300") || return 1
  curl -sf -m 2 -H "X-aws-ec2-metadata-token: $token" "$IMDS/latest/meta-data/$1"
}`,
};

/** Of Compute Engine. https://cloud.google.com/compute/docs/metadata/predefined-metadata-keys */
export const gceMetadata: Metadata = {
  id: "metadata name",
  interrupted: '[ "$(metadata preempted)" = TRUE ]',
  functions: `
IMDS=\${QUEZTL_IMDS:-http://metadata.google.internal}
metadata() {
  curl -sf -m 2 -H "Metadata-Flavor: Google" "$IMDS/computeMetadata/v1/instance/$1"
}`,
};

/** Of Azure; a preemption is told as a scheduled event. https://learn.microsoft.com/azure/virtual-machines/linux/scheduled-events */
export const azureMetadata: Metadata = {
  id: 'metadata "instance/compute/name?api-version=2021-02-01&format=text"',
  interrupted: 'metadata "scheduledevents?api-version=2020-07-01" | grep -q \'"Preempt"\'',
  functions: `
IMDS=\${QUEZTL_IMDS:-http://169.254.169.254}
metadata() {
  curl -sf -m 2 -H "Metadata: true" "$IMDS/metadata/$1"
}`,
};

/** Node that is fetched where the image has none: its own checksum file is checked. */
const nodeVersion = "v22.20.0";

export function startupScript(boot: Boot, { functions, id, interrupted }: Metadata = ec2Metadata): string {
  const minutes = Math.ceil(boot.lifetimeMs / 60_000);
  return `#!/bin/bash
# Queztl instance. Ends by itself after ${minutes} minutes.
set -u
shutdown -h +${minutes} "the lifetime of this instance is over" || true
finish() { shutdown -h now || poweroff -f; }
trap finish EXIT
COORDINATOR=${quoted(boot.coordinatorUrl.replace(/\/+$/, ""))}
JOIN_TOKEN=${quoted(boot.joinToken)}
ROOT=\${QUEZTL_ROOT:-/opt/queztl}
mkdir -p "$ROOT" && cd "$ROOT" || exit 1
${functions}

if ! command -v node >/dev/null; then
  case $(uname -m) in x86_64) ARCH=x64 ;; aarch64) ARCH=arm64 ;; *) exit 1 ;; esac
  NAME=node-${nodeVersion}-linux-$ARCH
  curl -sSf --retry 5 -O "https://nodejs.org/dist/${nodeVersion}/$NAME.tar.gz" || exit 1
  curl -sSf --retry 5 "https://nodejs.org/dist/${nodeVersion}/SHASUMS256.txt" | grep " $NAME.tar.gz$" | sha256sum -c - || exit 1
  tar xzf "$NAME.tar.gz" && PATH="$ROOT/$NAME/bin:$PATH"
fi

curl -sSf --retry 30 --retry-delay 2 --retry-all-errors -o worker.mjs "$COORDINATOR/worker.mjs" || exit 1
INSTANCE=$(${id}) || INSTANCE=
export QUEZTL_JOIN_TOKEN="$JOIN_TOKEN\${INSTANCE:+:$INSTANCE}" QUEZTL_MODE=worker
unset JOIN_TOKEN
node worker.mjs --coordinator "$COORDINATOR" --data "$ROOT/data" --name "instance \${INSTANCE:-unknown}" \\
  --end-after ${Math.ceil(boot.lifetimeMs / 1000)} --end-if-silent ${Math.ceil(boot.silenceMs / 1000)} </dev/null &
WORKER=$!

# The cloud gives two minutes' notice: leases are handed back at once.
while kill -0 "$WORKER" 2>/dev/null; do
  if ${interrupted} >/dev/null; then
    echo "The cloud takes this instance back."
    kill -TERM "$WORKER"
    wait "$WORKER"
    exit 0
  fi
  sleep \${QUEZTL_NOTICE_SECONDS:-2}
done
wait "$WORKER"
`;
}
