// Trusted Types: scripts may only be loaded from this page's own server, by the two places that need it.

interface Policy {
  createScriptURL(url: string): string
}
interface Factory {
  createPolicy(name: string, rules: Policy): Policy
}

const factory = (globalThis as { trustedTypes?: Factory }).trustedTypes
const policy = factory?.createPolicy('tidings', { createScriptURL: own })

function own(url: string): string {
  if (new URL(url, window.location.href).origin !== window.location.origin) throw new TypeError('a script of another origin')
  return url
}

export function trustedUrl(url: string): string {
  return policy === undefined ? own(url) : policy.createScriptURL(url)
}
