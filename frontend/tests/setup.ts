// The page's language, which the formats are those of.
Object.defineProperty(globalThis, 'document', {
  value: { documentElement: { lang: 'en-GB' } },
})
