import { defineConfig, type Plugin } from 'vite'

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

// The base is relative: the service may be mounted below a path of its host.
export default defineConfig({
  base: './',
  plugins: [uppyWithoutOnlineCheck],
  publicDir: false,
  build: {
    outDir: '../src/safelight/web/gallery_files',
    emptyOutDir: true,
    manifest: 'manifest.json',
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
})
