/// <reference types="vite/client" />
/// <reference types="svelte" />

/** Names the form of the core's types (vite.config.ts). */
declare const __TYPES__: string
