import { z } from 'zod'
import { graphqlBridgeSchema } from './graphql-bridge.ts'
import { duration, oneOrMore, size } from './units.ts'

const ruleFields = {
  get: z.string().optional().describe('The path template of GET.'),
  put: z.string().optional().describe('The path template of PUT.'),
  post: z.string().optional().describe('The path template of POST.'),
  delete: z.string().optional().describe('The path template of DELETE.'),
  patch: z.string().optional().describe('The path template of PATCH.'),
  custom: z
    .strictObject({
      kind: z.string().regex(/^(?:\*|[A-Z]+)$/, 'a method in upper case, or *').describe('The method; * for any.'),
      path: z.string().describe('The path template.'),
    })
    .optional()
    .describe('Another method than those.'),
  body: z.string().optional().describe('The request field that is the content; * for the whole request. Default: there is no content.'),
  responseBody: z.string().optional().describe('The field of the answer that is sent. Default: all of it.'),
}

/** An HTTP rule of a method, as google.api.HttpRule has it. */
export const httpRuleSchema = z.strictObject({
  selector: z.string().describe('The method: package.Service.Method.'),
  ...ruleFields,
  additional: z.array(z.strictObject(ruleFields)).optional().describe('Further ways to call it.'),
})

/** What a service of gRPC may say about itself. */
export const grpcFields = {
  protos: oneOrMore(z.string().min(1))
    .optional()
    .describe(
      'The .proto files that describe the service, relative to the config file. What they import is looked for in the folders above them, up to that of the config file; google/api, google/rpc and google/protobuf are built in.',
    )
    .meta({ examples: [['protos/billing.proto']] }),
  descriptors: z
    .string()
    .min(1)
    .optional()
    .describe('A compiled description of the service in place of `protos`: a serialised FileDescriptorSet with its imports (buf build -o, protoc --include_imports).')
    .meta({ examples: ['billing.binpb'] }),
  reflection: z
    .union([
      z.literal(true),
      z.strictObject({
        metadata: z.record(z.string().regex(/^[a-z0-9._-]+$/, 'a name in lower case'), z.string()).optional().describe('Sent along, for servers that do not tell everybody.'),
        every: duration('1s', '1d').optional().describe('How often the service is asked again. Default: 1m.'),
      }),
    ])
    .optional()
    .describe('Asks the service itself what it offers (gRPC server reflection) in place of `protos`: when the gateway starts and again and again. What was learnt stays while the service cannot be asked; before that its bridges answer 503.'),
  rules: z
    .array(httpRuleSchema)
    .optional()
    .describe('HTTP rules for the bridge `rest`, in the form of google.api.http. The rules of a method here replace those in its .proto.'),
  maxMessage: size('1kb', '1gb').optional().describe('Largest single message of the service, either way, decompressed. Default: 4mb.'),
}

const jsonBridgeSchema = z.strictObject({
  use: z.enum(['rest', 'connect', 'websocket']).describe('The protocol whose JSON is meant.'),
  unknownFields: z
    .enum(['refuse', 'ignore'])
    .optional()
    .describe('Members and parameters that the method does not have: refused with 400, or passed over. Default: refuse.'),
  emitDefaults: z.boolean().optional().describe('Writes fields that have their default value too. Default: false.'),
  enumsAsNumbers: z.boolean().optional().describe('Writes enum values as numbers. Default: false.'),
  protoNames: z.boolean().optional().describe('Writes fields as the .proto names them (snake_case). Default: false, lowerCamelCase. Both are read.'),
})

const oneBridge = z.union([z.enum(['rest', 'websocket', 'grpc-web', 'connect', 'graphql']), z.discriminatedUnion('use', [jsonBridgeSchema, graphqlBridgeSchema])])

/** Which protocols a route translates to gRPC. */
export const bridgeSchema = z.union([oneBridge.transform((one) => [one]), z.array(oneBridge).min(1)])
