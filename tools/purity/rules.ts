import { posix } from 'node:path'
import ts from 'typescript'

/**
 * What may be used where in `packages/core/src`.
 *
 * 1. `machine/` is pure: it imports its own folder, `../store.ts` (types) and `../errors.ts`, and knows no clock, chance, promise,
 *    timer or platform.
 * 2. Time and chance come from `clock.ts` and `random.ts` alone.
 * 3. undici is imported by `feishu/http.ts` alone.
 * 4. `feishu/` stands on top: nothing outside it imports it.
 */
export interface Violation {
  readonly file: string
  readonly line: number
  readonly rule: 'machine' | 'time and chance' | 'undici' | 'direction'
  readonly message: string
}

interface Import {
  readonly specifier: string
  readonly typeOnly: boolean
  readonly node: ts.Node
}

const NO_GLOBALS_IN_MACHINE = new Set([
  'Date',
  'Promise',
  'performance',
  'crypto',
  'process',
  'globalThis',
  'global',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'fetch',
  'AbortSignal',
  'AbortController',
  'console',
])
const TIME_AND_CHANCE_FILES = new Set(['clock.ts', 'random.ts'])
const TIMERS = new Set(['setTimeout', 'setInterval', 'setImmediate'])
const TIME_AND_CHANCE_MODULES = new Set(['timers', 'timers/promises', 'perf_hooks'])
const RANDOM = new Set(['randomUUID', 'getRandomValues', 'randomInt'])
const GLOBAL_OBJECTS = new Set(['globalThis', 'global'])

/** Judges one file. `file` is its path below `packages/core/src`, with slashes. */
export function violations(file: string, text: string): Violation[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const found: Violation[] = []
  const report = (rule: Violation['rule'], node: ts.Node, message: string) => {
    const line = source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1
    if (!found.some((each) => each.line === line && each.message === message)) found.push({ file, line, rule, message })
  }
  const inMachine = file.startsWith('machine/')
  const mayTellTime = TIME_AND_CHANCE_FILES.has(file)

  const visit = (node: ts.Node): void => {
    const imported = importOf(node)
    if (imported !== undefined) judgeImport(file, imported, report)
    if (inMachine) judgeMachine(node, report)
    else if (!mayTellTime) judgeTimeAndChance(node, report)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

type Report = (rule: Violation['rule'], node: ts.Node, message: string) => void

/** Every way to name a module: import, export from, import(), require(), import types, import x = require(). */
function importOf(node: ts.Node): Import | undefined {
  const literal = (expression: ts.Node | undefined, typeOnly: boolean): Import | undefined =>
    expression !== undefined && ts.isStringLiteralLike(expression) ? { specifier: expression.text, typeOnly, node } : undefined
  if (ts.isImportDeclaration(node)) {
    const bindings = node.importClause?.namedBindings
    const eachIsType =
      node.importClause?.name === undefined &&
      bindings !== undefined &&
      ts.isNamedImports(bindings) &&
      bindings.elements.length > 0 &&
      bindings.elements.every((element) => element.isTypeOnly)
    return literal(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword || eachIsType)
  }
  if (ts.isExportDeclaration(node)) return literal(node.moduleSpecifier, node.isTypeOnly)
  if (ts.isExternalModuleReference(node)) return literal(node.expression, false)
  if (ts.isImportTypeNode(node)) return ts.isLiteralTypeNode(node.argument) ? literal(node.argument.literal, true) : undefined
  if (!ts.isCallExpression(node)) return undefined
  const isRequire = ts.isIdentifier(node.expression) && node.expression.text === 'require'
  if (!isRequire && node.expression.kind !== ts.SyntaxKind.ImportKeyword) return undefined
  return literal(node.arguments[0], false) ?? { specifier: '', typeOnly: false, node }
}

function judgeImport(file: string, { specifier, typeOnly, node }: Import, report: Report): void {
  const folder = posix.dirname(file)
  const target = specifier.startsWith('.') ? posix.join(folder, specifier) : specifier
  const isSelf = target === '@tokenwell/core/feishu'
  const bare = specifier.replace(/^node:/, '')

  if (specifier === '') report('direction', node, 'imports a module by a computed name')
  if (/^undici(\/|$)/.test(specifier) && file !== 'feishu/http.ts') report('undici', node, 'imports undici; only feishu/http.ts may')
  if (!file.startsWith('feishu/') && (isSelf || /^feishu(\/|\.|$)/.test(target))) {
    report('direction', node, `imports ${specifier}; nothing outside feishu/ may`)
  }
  if (file.startsWith('machine/')) {
    const allowed = /^machine\//.test(target) || target === 'errors.ts' || (target === 'store.ts' && typeOnly)
    if (!allowed) report('machine', node, `imports ${specifier}; the machine has its own folder, ../errors.ts and the types of ../store.ts`)
  } else if (!TIME_AND_CHANCE_FILES.has(file) && TIME_AND_CHANCE_MODULES.has(bare)) {
    report('time and chance', node, `imports ${specifier}; use the clock`)
  }
}

function judgeMachine(node: ts.Node, report: Report): void {
  if (ts.isAwaitExpression(node)) report('machine', node, 'uses await')
  if (node.kind === ts.SyntaxKind.AsyncKeyword) report('machine', node, 'uses async')
  if (ts.isForOfStatement(node) && node.awaitModifier !== undefined) report('machine', node, 'uses for await')
  if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword) report('machine', node, 'uses import.meta')
  if (!ts.isIdentifier(node) || !isReference(node)) return
  if (NO_GLOBALS_IN_MACHINE.has(node.text)) report('machine', node, `uses ${node.text}`)
  if (isRandomOfMath(node)) report('machine', node, 'uses Math.random')
}

function judgeTimeAndChance(node: ts.Node, report: Report): void {
  if (!ts.isIdentifier(node)) return
  const complain = (what: string) => report('time and chance', node, `uses ${what}; time and chance come from clock.ts and random.ts`)
  if (isInType(node)) return

  // Names that are dangerous on whatever object they are read from, or imported as.
  if (isReference(node) || isMemberRead(node) || isImportedName(node)) {
    if (RANDOM.has(node.text)) complain(node.text)
    if (node.text === 'hrtime') complain('process.hrtime')
  }
  if (
    isMemberRead(node) &&
    isGlobalObject(node.parent.expression) &&
    (TIMERS.has(node.text) || ['Date', 'performance'].includes(node.text))
  ) {
    complain(node.text)
  }
  if (!isReference(node)) return
  if (TIMERS.has(node.text)) complain(node.text)
  if (node.text === 'performance') complain('performance')
  if (node.text === 'Date' && tellsTime(node)) complain('the time of Date')
  if (isRandomOfMath(node)) complain('Math.random')
  const { parent } = node
  if (node.text === 'AbortSignal' && (memberOf(node) === 'timeout' || ts.isElementAccessExpression(parent))) complain('AbortSignal.timeout')
  if (GLOBAL_OBJECTS.has(node.text) && ts.isElementAccessExpression(parent) && parent.expression === node) complain(`${node.text}[…]`)
}

/** `Date` is fine for reading a given time: `new Date(ms)`, `Date.parse(text)`, `Date.UTC(…)`, `instanceof Date`. */
function tellsTime(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isNewExpression(parent) && parent.expression === node) return (parent.arguments?.length ?? 0) === 0
  if (ts.isBinaryExpression(parent) && parent.operatorToken.kind === ts.SyntaxKind.InstanceOfKeyword) return false
  const member = memberOf(node)
  return member !== 'parse' && member !== 'UTC' && member !== 'prototype'
}

/** `Math` in any use that is, or may hide, its `random`. */
function isRandomOfMath(node: ts.Identifier): boolean {
  if (node.text !== 'Math') return false
  const member = memberOf(node)
  return member === undefined || member === 'random'
}

/** The `b` of `a.b`. */
function memberOf(node: ts.Identifier): string | undefined {
  const { parent } = node
  return ts.isPropertyAccessExpression(parent) && parent.expression === node ? parent.name.text : undefined
}

function isMemberRead(node: ts.Identifier): node is ts.Identifier & { readonly parent: ts.PropertyAccessExpression } {
  return ts.isPropertyAccessExpression(node.parent) && node.parent.name === node
}

function isGlobalObject(expression: ts.Expression): boolean {
  return ts.isIdentifier(expression) && GLOBAL_OBJECTS.has(expression.text)
}

function isImportedName(node: ts.Identifier): boolean {
  return ts.isImportSpecifier(node.parent) && (node.parent.propertyName ?? node.parent.name) === node
}

/** Whether the identifier stands in a type, where nothing runs. */
function isInType(node: ts.Node): boolean {
  for (let each: ts.Node | undefined = node; each !== undefined; each = each.parent) {
    if (ts.isTypeNode(each) && !ts.isExpressionWithTypeArguments(each)) return true
    if (ts.isStatement(each) && !ts.isTypeAliasDeclaration(each) && !ts.isInterfaceDeclaration(each)) return false
    if (ts.isExpression(each) && !ts.isIdentifier(each)) return false
  }
  return false
}

/** Whether the identifier refers to something by that name, rather than naming a property or being declared. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.name !== node
  if (ts.isQualifiedName(parent)) return parent.right !== node
  if (ts.isShorthandPropertyAssignment(parent)) return parent.name === node
  if (ts.isBindingElement(parent)) return parent.initializer === node
  if (ts.isImportSpecifier(parent) || ts.isExportSpecifier(parent) || ts.isImportClause(parent)) return false
  if (ts.isJsxAttribute(parent) || ts.isLabeledStatement(parent) || ts.isMetaProperty(parent)) return false
  const named = parent as ts.Node & { readonly name?: ts.Node }
  return named.name !== node
}
