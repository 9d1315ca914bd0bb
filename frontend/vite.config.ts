import { defineConfig } from 'vite'

// The base is relative: the service may be mounted below a path of its host.
export default defineConfig({
  base: './',
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
