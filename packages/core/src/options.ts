/** Checks of the options objects that users hand in; each throws a `TypeError` that names the option, what it got and what it takes. */

export function checkObject(value: unknown, where: string, names: readonly string[]): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new TypeError(`${where}: expected an object, got ${describe(value)}`)
  for (const name of Object.keys(value)) {
    if (!names.includes(name)) throw new TypeError(`${where}: there is no option "${name}"; it takes ${names.join(', ')}`)
  }
}

export function checkText(value: unknown, name: string, longest: number): asserts value is string {
  if (typeof value !== 'string' || value === '' || value.length > longest) {
    throw new TypeError(`${name}: expected a string of 1 to ${longest} characters, got ${describe(value)}`)
  }
}

export function checkInteger(value: unknown, name: string, min: number, max: number): void {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw new TypeError(
      `${name}: expected a whole number from ${min} to ${max}, got ${typeof value === 'number' ? value : describe(value)}`,
    )
  }
}

/** Distinct texts. A single one is iterable too, by its characters, which nobody means. */
export function checkTexts(value: unknown, name: string): Set<string> {
  if (typeof value !== 'object' || value === null || !(Symbol.iterator in value)) {
    throw new TypeError(`${name}: expected an array or another iterable of strings, got ${describe(value)}`)
  }
  return new Set(value as Iterable<string>)
}

export function checkFunction(value: unknown, name: string): void {
  if (typeof value !== 'function') throw new TypeError(`${name}: expected a function, got ${describe(value)}`)
}

export function checkMethods(value: unknown, name: string, methods: readonly string[]): void {
  for (const method of methods) {
    if (typeof value !== 'object' || value === null || typeof (value as Record<string, unknown>)[method] !== 'function') {
      throw new TypeError(`${name}: expected an object with ${methods.map((each) => `${each}()`).join(', ')}, got ${describe(value)}`)
    }
  }
}

/** Never the value itself: it may be a secret in the wrong place. */
export function describe(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value === 'string') return `a string of ${value.length} characters`
  if (Array.isArray(value)) return `an array of ${value.length}`
  return typeof value === 'undefined' ? 'undefined' : `a value of type ${typeof value}`
}
