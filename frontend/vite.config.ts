import { defineConfig } from 'vite'

// Relative addresses, since the whole service may stand below a path of a host's.
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
    rollupOptions: { input: 'src/main.tsx' },
  },
})
