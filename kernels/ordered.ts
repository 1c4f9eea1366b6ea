/** What neighbouring grains gave, joined without copying: read once, at the end. For outputs that are kept, in order. */
export type Ordered<Item> =
  | { items: readonly Item[]; count: number }
  | { left: Ordered<Item>; right: Ordered<Item>; count: number };

/** Copied while they are few: a tree of single items would be deep for nothing. */
const copiedMax = 256;

export const ordered = <Item>(items: readonly Item[]): Ordered<Item> => ({ items, count: items.length });

export function joined<Item>(left: Ordered<Item>, right: Ordered<Item>): Ordered<Item> {
  const count = left.count + right.count;
  if ("items" in left && "items" in right && count <= copiedMax)
    return { items: [...left.items, ...right.items], count };
  return { left, right, count };
}

/** The first `most` items, in order. */
export function itemsOf<Item>(all: Ordered<Item>, most = Number.POSITIVE_INFINITY): Item[] {
  const found: Item[] = [];
  const open: Ordered<Item>[] = [all];
  for (let next = open.pop(); next && found.length < most; next = open.pop()) {
    if ("items" in next) for (const item of next.items.slice(0, most - found.length)) found.push(item);
    else open.push(next.right, next.left);
  }
  return found;
}
