// Not all supported versions of Node have it, and with the locale of the machine.
Object.defineProperty(globalThis, 'navigator', {
  value: { languages: ['en-GB'] },
  configurable: true,
})
