// Writes sw.js into the bundle: the service worker with the list of the files that this version of the page is made of.
import { readFileSync, readdirSync } from 'node:fs'
import { createHash } from 'node:crypto'
import type { Plugin } from 'vite'

export function shell(): Plugin {
  return {
    name: 'shell',
    apply: 'build',
    enforce: 'post',
    generateBundle(_, bundle) {
      const files = Object.keys(bundle).filter((name) => name !== 'index.html').sort()
      const page = bundle['index.html']
      const text = page?.type === 'asset' ? String(page.source) : ''
      const icons = readdirSync('public').filter((name) => name !== 'sw.js').sort()
      const version = createHash('sha256').update(files.join()).update(text).digest('hex').slice(0, 12)
      const list = ['/', ...files.map((name) => `/${name}`), ...icons.map((name) => `/${name}`)]
      const source = readFileSync('src/shell/sw.js', 'utf8')
        .replace('__VERSION__', version)
        .replace('__FILES__', JSON.stringify(list))
      this.emitFile({ type: 'asset', fileName: 'sw.js', source })
    },
  }
}
