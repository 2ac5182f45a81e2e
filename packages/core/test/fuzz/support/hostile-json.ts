import fc from 'fast-check'

/**
 * JSON as a tree that can say what a value cannot: the same key twice, a `__proto__` of its own, numbers beyond all numbers, text that is
 * no Unicode. A leaf is raw text.
 */
type Node =
  | { readonly kind: 'leaf'; readonly text: string }
  | { readonly kind: 'list'; readonly items: Node[] }
  | { readonly kind: 'object'; readonly fields: [key: string, value: Node][] }

function treeOf(value: unknown): Node {
  if (Array.isArray(value)) return { kind: 'list', items: value.map(treeOf) }
  if (typeof value === 'object' && value !== null) {
    return { kind: 'object', fields: Object.entries(value).map(([key, each]) => [JSON.stringify(key), treeOf(each)]) }
  }
  return leaf(JSON.stringify(value) ?? 'null')
}

function leaf(text: string): Node {
  return { kind: 'leaf', text }
}

function write(node: Node): string {
  if (node.kind === 'leaf') return node.text
  if (node.kind === 'list') return `[${node.items.map(write).join(',')}]`
  return `{${node.fields.map(([key, value]) => `${key}:${write(value)}`).join(',')}}`
}

/** Every object of a tree, the outermost first. */
function objectsIn(node: Node): Extract<Node, { kind: 'object' }>[] {
  if (node.kind === 'leaf') return []
  if (node.kind === 'list') return node.items.flatMap(objectsIn)
  return [node, ...node.fields.flatMap(([, value]) => objectsIn(value))]
}

const deep = fc
  .tuple(fc.constantFrom('[', '{"a":', '[{"event":', '{"__proto__":'), fc.constantFrom(10, 500, 20_000), fc.boolean())
  .map(([open, depth, closed]) => {
    const close = open
      .replace(/"[^"]*"|:/g, '')
      .replaceAll('[', ']')
      .replaceAll('{', '}')
    return `${open.repeat(depth)}0${closed ? [...close].reverse().join('').repeat(depth) : ''}`
  })

/** Raw JSON, or nearly, that some reader somewhere has choked on. */
const hostileText: fc.Arbitrary<string> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      ...['null', 'true', 'false', '0', '-0', '-1', '1', '1e999', '-1e999', '1e-400', '0.0001', '9007199254740993', '1e308', '2e15'],
      ...['NaN', 'Infinity', '"NaN"', '"Infinity"', '"-1"', '"0"', '"1e9"', '"0x10"', '" 1 "', '""', '" "', '"\\u0000"', '"\\ud800"'],
      ...['[]', '{}', '[[]]', '[null]', '{"toString":0,"valueOf":0}', '{"__proto__":{"code":0}}', '{"constructor":{"prototype":{}}}'],
      ...['{"length":1e9}', '{"toJSON":"x"}', '{"then":"x"}', "'x'", 'undefined', '', ',', '"', '\\', '"\\x"', '"\n"', '/**/0', '01', '+1'],
      ...['"\\u202e\\u2028\\r\\nSet-Cookie: a=b"', '"\u{1f600}"', '"é"', '"e\u0301"', '"１２３"', `"${'\u0660'.repeat(10)}"`],
    ),
  },
  { weight: 2, arbitrary: fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 400 }).map((digits) => '9'.repeat(digits + 1)) },
  { weight: 1, arbitrary: fc.constantFrom(300, 5_000, 70_000).map((length) => `"${'a'.repeat(length)}"`) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }).map((text) => JSON.stringify(text)) },
  { weight: 1, arbitrary: deep },
)

const rawKey = fc.oneof(
  fc.constantFrom('"__proto__"', '"constructor"', '"prototype"', '"toString"', '"then"', '"toJSON"', '""', '"\\u0074oken"', '"TOKEN"', 'x'),
  fc.string({ maxLength: 8 }).map((text) => JSON.stringify(text)),
)

type Edit = (root: Node) => Node

/** One change to a tree, made where `where` points. */
const edit: fc.Arbitrary<Edit> = fc.tuple(fc.nat(), fc.nat(), hostileText, rawKey, fc.nat(9)).map(([where, which, text, key, what]) => {
  return (root) => {
    const objects = objectsIn(root)
    const object = objects[where % objects.length]
    if (object === undefined || what === 0) return leaf(text)
    const field = object.fields[which % Math.max(1, object.fields.length)]
    if (field === undefined || what === 1) object.fields.push([key, leaf(text)])
    else if (what <= 5) field[1] = leaf(text)
    else if (what === 6) object.fields.push([field[0], leaf(text)])
    else if (what === 7) object.fields.splice(which % object.fields.length, 1)
    else if (what === 8) field[0] = key
    else field[1] = { kind: 'list', items: [field[1]] }
    return root
  }
})

type Damage = (bytes: Buffer) => Buffer

/** What can happen to bytes on their way. */
const damage: fc.Arbitrary<Damage> = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Damage>((bytes) => bytes) },
  fc.nat().map<Damage>((cut) => (bytes) => bytes.subarray(0, cut % (bytes.length + 1))),
  fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })).map<Damage>(([at, change]) => (bytes) => {
    const changed = Buffer.from(bytes)
    const index = at % Math.max(1, changed.length)
    changed[index] = (changed[index] ?? 0) ^ change
    return changed
  }),
  fc
    .tuple(fc.nat(), fc.constantFrom([0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x00], [0xef, 0xbb, 0xbf]))
    .map<Damage>(([at, more]) => (bytes) => {
      const index = at % (bytes.length + 1)
      return Buffer.concat([bytes.subarray(0, index), Buffer.from(more), bytes.subarray(index)])
    }),
  fc.constantFrom<Damage>(
    (bytes) => Buffer.concat([bytes, bytes]),
    (bytes) => Buffer.from(bytes.toString(), 'utf16le'),
    (bytes) => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes]),
    (bytes) => Buffer.concat([Buffer.alloc(1_000, ' \n\t'), bytes, Buffer.alloc(1_000, ' ')]),
    (bytes) => Buffer.concat([bytes, Buffer.alloc(70_000, ' ')]),
    () => Buffer.alloc(0),
  ),
  fc.uint8Array({ maxLength: 300 }).map<Damage>((raw) => () => Buffer.from(raw)),
)

/** A valid document, changed in up to four places and damaged in up to one; now and then left as it is. */
export function mutated(valid: fc.Arbitrary<unknown>): fc.Arbitrary<Buffer> {
  return fc
    .tuple(valid, fc.array(edit, { maxLength: 4 }), damage)
    .map(([value, edits, harm]) => harm(Buffer.from(write(edits.reduce((tree, change) => change(tree), treeOf(value))))))
}
