import { z } from 'zod'
import { duration } from './units.ts'

const address = z.string().min(1)
const scope = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, { error: 'this is no scope' })

/** Where a provider is asked. */
export const providerEndpointsSchema = z.strictObject({
  authorization: address.describe('Where browsers are sent to log in.').meta({ examples: ['https://idp.example.com/authorize'] }),
  token: address.describe('Where codes and refresh tokens are exchanged.').meta({ examples: ['https://idp.example.com/token'] }),
  jwks: address.describe('Where its keys are published.').meta({ examples: ['https://idp.example.com/jwks'] }),
  endSession: address.optional().describe('Where browsers log out there. Default: they do not.'),
})

/** An OpenID provider at which people log in. */
export const providerSchema = z.strictObject({
  issuer: z
    .string()
    .min(1)
    .describe('Its issuer identifier, exactly: https, or http on loopback.')
    .meta({ examples: ['https://idp.example.com'] }),
  clientId: z.string().min(1).describe('The client id that it gave. The redirect URI to register there is `<identity.issuer><identity.path>/oidc/<name>/callback`.'),
  clientSecret: z.string().min(1).optional().describe('The secret that it gave. Without this key, Velum is a public client (PKCE protects its logins either way).'),
  label: z.string().min(1).max(64).optional().describe('What its button on the login page says after “Log in with”. Default: the name.'),
  endpoints: providerEndpointsSchema
    .optional()
    .describe('Where it is asked, for a provider without discovery. Default: its metadata (OpenID Connect Discovery) says, read with the first login.'),
  scopes: z
    .array(scope)
    .optional()
    .describe('What is asked for; `openid` always is. Many providers give a refresh token only with `offline_access`. Default: openid alone.')
    .meta({ examples: [['openid', 'groups', 'offline_access']] }),
  parameters: z
    .record(z.string().min(1), z.string())
    .optional()
    .describe('Further parameters of the authorization request.')
    .meta({ examples: [{ prompt: 'select_account' }] }),
  roles: z.array(z.string().min(1)).optional().describe('Roles of everybody who logs in there. Default: none.'),
  rolesFrom: z
    .strictObject({
      claim: z.string().min(1).describe('The claim of the ID token: a text, or a list of texts. Dots lead into objects: `realm_access.roles`.'),
      map: z.record(z.string().min(1), z.array(z.string().min(1)).min(1)).describe('What each value grants; others grant nothing.'),
    })
    .optional()
    .describe('Further roles, by a claim of the ID token.')
    .meta({ examples: [{ claim: 'groups', map: { 'shop-staff': ['staff'] } }] }),
  tenant: z.string().min(1).optional().describe('The tenant that all its people belong to.'),
  tenants: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('The tenants that `tenantClaim` of the ID token may name. Without `tenant` and `tenants` its people have none.'),
  tenantClaim: z.string().min(1).optional().describe('The claim that names a tenant; dots lead into objects. Default: `identity.tenantClaim`.'),
  clockTolerance: duration('0s', '60s').optional().describe('How far its clock may be off from this one. Default: 30s.'),
  refresh: duration('1m', '1d')
    .optional()
    .describe('How often it is asked, by refresh token, whether it still vouches for a session in use. Its no ends the session; its silence does not. Default: 10m.'),
  idTokenHint: z
    .boolean()
    .optional()
    .describe('Whether browsers carry the ID token there, in the address, when they log out: some providers demand it. Default: false, and no token ever reaches a browser.'),
})
