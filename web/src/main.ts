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

// Before all else: it is what is painted first.
const snapshot = recall()
const preferences = new Preferences()
preferences.apply()
const app = new App(() => new Worker(trustedUrl(workerUrl), { type: 'module', name: ownName() }))

const target = document.getElementById('app')
if (target === null) throw new Error('the page has no place for the app')
// The language's catalogue is small and local; the page waits for it rather than change under the reader's eyes.
await language.load()
app.recall(await snapshot)
mount(Root, { target, props: { app, preferences } })

void install((take) => app.toasts.add(t('update.ready'), 'said', { label: t('update.take'), run: take }))
