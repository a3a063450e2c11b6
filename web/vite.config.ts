import { svelte } from '@sveltejs/vite-plugin-svelte'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { defineConfig } from 'vite'
import { shell } from './shell.plugin.ts'

/** As the server says it: what is looked at with `vite preview` runs under the same policy. */
function policy(): string {
  const source = readFileSync('../crates/server/src/gateway/web.rs', 'utf8')
  const text = source.match(/const POLICY[^"]*"([^"]*)"/)?.[1] ?? ''
  return text.replace(/\\\n\s*/g, '')
}

// The core's WebAssembly is put into src/worker/core by `cargo xtask web`.
export default defineConfig({
  define: { __TYPES__: JSON.stringify(createHash('sha256').update(readFileSync('src/lib/core/types.ts')).digest('hex').slice(0, 12)) },
  plugins: [svelte(), shell()],
  build: {
    target: 'es2023',
    // Everything is named by its content, so browsers may keep it for ever.
    assetsDir: 'assets',
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // `cargo xtask web` empties it.
    emptyOutDir: false,
  },
  worker: { format: 'es' },
  // While the page is being worked on: `npm run dev` beside `tidings serve`.
  server: { proxy: { '/v1': { target: process.env['TIDINGS_SERVER'] ?? 'http://127.0.0.1:3000', ws: true } } },
  preview: { headers: { 'content-security-policy': policy() }, proxy: { '/v1': { target: process.env['TIDINGS_SERVER'] ?? 'http://127.0.0.1:3000', ws: true } } },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
} as Parameters<typeof defineConfig>[0])
