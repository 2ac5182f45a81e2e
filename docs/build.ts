import { build } from 'vitepress'
import { writeReference } from './reference.ts'

/** Builds the site into `docs/.vitepress/dist`. Fails for a link to nothing, in a page as in a docstring. */
await writeReference()
await build(import.meta.dirname)
