import { describeExample } from '@tokenwell/endpoint'

describeExample('NestJS', {
  folder: import.meta.dirname,
  parsedFirst: ['dist/test/parsed-first.js'],
  advice: 'NestJS: NestFactory.create(AppModule, { rawBody: true })',
})
