// Taking replies and other tagged values of the core apart.

/** The names of an externally tagged union: `'done' | { code_sent: … }` has `done` and `code_sent`. */
type Tag<T> = T extends string ? T : T extends object ? keyof T & string : never
type Of<T, K extends string> = T extends { [P in K]: infer V } ? V : never

/** What the value has under this name, if it is the one of that name. */
export function take<T, K extends Tag<T>>(value: T, name: K): Of<T, K> | undefined {
  if (typeof value !== 'object' || value === null || !(name in value)) return undefined
  return (value as Record<string, unknown>)[name] as Of<T, K>
}

/** The name that a tagged value goes by. */
export function tagOf(value: string | object): string {
  return typeof value === 'string' ? value : (Object.keys(value)[0] ?? '')
}
