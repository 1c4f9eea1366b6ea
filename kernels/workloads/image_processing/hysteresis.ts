/** Canny's last step: weak edges stay where they touch a strong one, over however many others. In place; white on black. */
export function follow(edges: Uint8Array, width: number, height: number): void {
  const open = new Uint32Array(edges.length);
  let length = 0;
  for (let at = 0; at < edges.length; at++) if (edges[at] === 2) open[length++] = at;
  while (length > 0) {
    const at = open[--length] as number;
    const x = at % width;
    const y = (at - x) / width;
    for (let dy = y > 0 ? -1 : 0; dy <= (y < height - 1 ? 1 : 0); dy++)
      for (let dx = x > 0 ? -1 : 0; dx <= (x < width - 1 ? 1 : 0); dx++) {
        const next = at + dy * width + dx;
        if (edges[next] !== 1) continue;
        edges[next] = 2;
        open[length++] = next;
      }
  }
  for (let at = 0; at < edges.length; at++) edges[at] = edges[at] === 2 ? 255 : 0;
}
