import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Application, Converter } from 'typedoc'
import type { PluginOptions } from 'typedoc-plugin-markdown'

const TSCONFIG = new URL('tsconfig.reference.json', import.meta.url)
const path = (relative: string) => fileURLToPath(new URL(relative, TSCONFIG))

/** The entry points of the published packages. */
const { files }: { files: string[] } = JSON.parse(readFileSync(TSCONFIG, 'utf8'))

const asTables: Partial<PluginOptions> = {
  outputFileStrategy: 'modules',
  flattenOutputFiles: true,
  entryFileName: 'index',
  hideBreadcrumbs: true,
  hidePageHeader: true,
  pageTitleTemplates: { index: 'API reference', module: '@tokenwell/{name}' },
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  classPropertiesFormat: 'table',
  typeAliasPropertiesFormat: 'table',
  propertyMembersFormat: 'table',
  typeDeclarationFormat: 'table',
  sanitizeComments: true,
}

/**
 * Writes the API reference into `docs/api`: a page for each entry point, from the docstrings of what it exports.
 * @throws Error for a docstring that links to nothing, and for anything else that TypeDoc warns of
 */
export async function writeReference(): Promise<void> {
  const app = await Application.bootstrapWithPlugins({
    plugin: ['typedoc-plugin-markdown'],
    entryPoints: files.map(path),
    tsconfig: path('tsconfig.reference.json'),
    out: path('api'),
    name: 'API reference',
    readme: 'none',
    disableSources: true,
    excludeExternals: true,
    // tsc has checked them.
    skipErrorChecking: true,
    logLevel: 'Warn',
    ...asTables,
  })
  // By its folder a module would be called `core/src/feishu`.
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.children ?? []) module.name = module.name.replace('/src', '')
  })
  const project = await app.convert()
  if (project === undefined) throw new Error('TypeDoc could not read the packages')
  await app.generateOutputs(project)
  if (app.logger.hasErrors() || app.logger.hasWarnings()) throw new Error('the API reference has the faults above')
}
