import './app.css'
import { mount } from 'svelte'
import Root from './Root.svelte'
import { language } from './lib/i18n/language.svelte.ts'
import { App } from './lib/state/app.svelte.ts'
import { Preferences } from './lib/state/preferences.svelte.ts'
import { t } from './lib/i18n/language.svelte.ts'
import { ownName } from './lib/state/profile.ts'
import { recall } from './lib/storage/snapshot.ts'
import { install } from './shell/shell.ts'
import { trustedUrl } from './shell/trusted.ts'
import workerUrl from './worker/main.ts?worker&url'

/** A screen that shows nothing by then may wait for the core too. */
const PAINTED_MS = 500

// Before all else: it is what is painted first. The marks are for e2e/paint.spec.ts.
performance.mark('script')
const snapshot = recall()
// The language's catalogue is small and local; the page waits for it rather than change under the reader's eyes.
const texts = language.load()
const preferences = new Preferences()
preferences.apply()
const app = new App(() => new Worker(trustedUrl(workerUrl), { type: 'module', name: ownName() }))

const target = document.getElementById('app')
if (target === null) throw new Error('the page has no place for the app')
const remembered = await snapshot
performance.mark('recalled')
// Waking the core takes every processor there is: what is painted goes first. A page in the background is not painted.
if (remembered === undefined) app.start()
else app.recall(remembered)
await texts
mount(Root, { target, props: { app, preferences } })
performance.mark('mounted')
requestAnimationFrame(() => setTimeout(() => app.start()))
setTimeout(() => app.start(), PAINTED_MS)

void install((take) => app.toasts.add(t('update.ready'), 'said', { label: t('update.take'), run: take }))
