import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

/** Have Uppy send requests whatever the browser says of the network: the store may be on loopback. */
const uppyWithoutOnlineCheck: Plugin = {
  name: 'uppy-without-online-check',
  transform(code, id) {
    if (!id.endsWith('/s3-client/S3Client.js')) return undefined
    const check = "typeof navigator !== 'undefined' && navigator.onLine === false"
    if (!code.includes(check)) this.error('Uppy has another check of the network.')
    return { code: code.replace(check, 'false'), map: null }
  },
}

/**
 * Take the texts from the file of a language. It is one module for each file that imports it, so
 * that the first screen gets no texts but its own.
 */
const textsIn = (language: string): Plugin => ({
  name: 'texts-of-a-language',
  enforce: 'pre',
  async resolveId(source, importer) {
    if (source !== './languages/en') return undefined
    const file = await this.resolve(`./languages/${language}`, importer)
    if (!file) this.error(`There are no texts in the language ${language}.`)
    return `${file.id}?${importer?.endsWith('/texts.ts') ? 'first' : 'later'}`
  },
})

// The base is relative: the service may be mounted below a path of its host.
export default defineConfig(({ command, mode }) => {
  const language = command === 'build' ? mode : 'en'
  return {
    base: './',
    plugins: [uppyWithoutOnlineCheck, textsIn(language)],
    publicDir: false,
    test: { setupFiles: 'tests/setup.ts' },
    build: {
      outDir: '../src/safelight/web/gallery_files',
      // build.py empties the folder before it builds the first language.
      emptyOutDir: false,
      manifest: `manifest.${language}.json`,
      modulePreload: { polyfill: false },
      target: 'es2022',
      assetsInlineLimit: 0,
      rollupOptions: {
        input: 'src/main.tsx',
        checks: { pluginTimings: false },
        // One file with all that the first screen imports: several are larger.
        output: { codeSplitting: { groups: [{ name: 'main', test: /src\/main\.tsx$/ }] } },
      },
    },
  }
})
