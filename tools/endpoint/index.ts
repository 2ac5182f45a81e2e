/**
 * Proves the event endpoints of `examples/`: starts one as its user would, and holds the platform's end of the conversation with it.
 *
 * @module
 */
export { describeExample, type ExampleTests } from './describe.ts'
export { type Endpoint, type EndpointOptions, startEndpoint } from './endpoint.ts'
