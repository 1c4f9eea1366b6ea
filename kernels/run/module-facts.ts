/** What a WebAssembly module asks for and offers. */
export interface ModuleFacts {
  /** As "queztl.random (function)". */
  imports: { name: string; kind: string }[];
  /** Kinds by name. */
  exports: ReadonlyMap<string, string>;
}

/** Throws where the bytes are no module that this engine takes. */
export function moduleFacts(bytes: Uint8Array): ModuleFacts {
  const module = new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>);
  return {
    imports: WebAssembly.Module.imports(module).map(({ module: from, name, kind }) => ({
      name: `${from}.${name}`,
      kind,
    })),
    exports: new Map(WebAssembly.Module.exports(module).map(({ name, kind }) => [name, kind])),
  };
}
