'use strict'
// Loads the addon: one file, of exactly this package's version, from exactly one of the places
// below. No environment variable, search path or second attempt has a say in it.
const fs = require('node:fs')
const path = require('node:path')
const { version } = require('./package.json')

const target = [process.platform, process.arch, variant()].filter(Boolean).join('-')
const file = `strongroom.${target}.node`
const beside = [__dirname]
// The platform package, where npm, pnpm and yarn put it: next to us, or inside us.
const packages = [`../node-${target}`, `node_modules/@strongroom/node-${target}`]
  .map((place) => path.join(__dirname, place)).filter(isOurs)
const found = [...beside, ...packages].map((place) => path.join(place, file)).find(fs.existsSync)

module.exports = load()

function load() {
  try {
    if (!found) throw new Error(`${file} was not found`)
    const addon = require(found)
    if (!addon.version().startsWith(`strongroom ${version} `)) throw new Error(`${file} is of another version`)
    return addon
  } catch (cause) {
    const message = `@strongroom/node ${version} can't load its addon for ${target}: ${cause.message}. ` +
      `It is in the package @strongroom/node-${target} (installed with optional dependencies); ` +
      'where there is none for your platform, @strongroom/wasm does the same without an addon.'
    throw Object.assign(new Error(message, { cause }), { code: 'ERR_STRONGROOM_ADDON' })
  }
}

function variant() {
  if (process.platform === 'win32') return 'msvc'
  if (process.platform !== 'linux') return ''
  const { excludeNetwork } = process.report
  process.report.excludeNetwork = true // the report would look up host names otherwise
  const { header } = process.report.getReport()
  process.report.excludeNetwork = excludeNetwork
  return header.glibcVersionRuntime ? 'gnu' : 'musl'
}

function isOurs(place) {
  const manifest = path.join(place, 'package.json')
  return fs.existsSync(manifest) && JSON.parse(fs.readFileSync(manifest, 'utf8')).version === version
}
