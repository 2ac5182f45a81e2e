import { describeExample } from '@tokenwell/endpoint'

describeExample('Koa', {
  folder: import.meta.dirname,
  parsedFirst: ['test/parsed-first.ts'],
  advice: 'Koa: mount createNodeEventHandler before any body parser',
})
