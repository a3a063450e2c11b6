/** As `FOR_EVER_MS` of the core: the last moment that a date can be. */
export const FOR_EVER_MS = 8_640_000_000_000_000
