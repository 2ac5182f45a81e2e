/** A script as text: by its `?raw` for vite, by tsup's text loader for the build. */
declare module '*.lua?raw' {
  const source: string
  export default source
}
