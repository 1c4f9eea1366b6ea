/** Its entry for Node is CommonJS in a package of modules; the module itself has no types of its own. */
declare module "wgsl_reflect/wgsl_reflect.module.js" {
  export * from "wgsl_reflect";
}
