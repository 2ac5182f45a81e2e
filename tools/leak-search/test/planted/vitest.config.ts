import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** A run of its own, whose only test leaks when PLANT says so. */
export default defineConfig({
  root: at('.'),
  test: { include: ['*.planted.ts'], globalSetup: [at('../../global-setup.ts')], setupFiles: [at('../../setup.ts')] },
})
