import { defineConfig } from 'vite';

export default defineConfig({
  build: {
    target: 'es2022',
    // As a file: a data: URL is no place that the page's policy allows it to fetch from.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The KMS client of the AWS SDK is most of it.
    chunkSizeWarningLimit: 1_000,
  },
  // One KMS client, the page's, although the linked package has one for its own tests.
  resolve: { dedupe: ['@aws-sdk/client-kms'] },
});
