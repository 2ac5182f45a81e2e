/** A statement as text: by its `?raw` for vite, by tsup's text loader for the build. */
declare module '*.sql?raw' {
  const source: string
  export default source
}
