/**
 * Loaded by `kiln cloud exec` into every Node program (`--require`): an `https.Agent` that a program makes for itself takes HTTPS_PROXY as
 * well. Google's libraries in REST mode (gax `fallback`) make such agents, and Node's NODE_USE_ENV_PROXY is for its global ones only.
 * Written for Node 18 and later; nothing changes for agents with a proxy of their own, sockets that are given, and hosts in NO_PROXY.
 */
'use strict'
const http = require('node:http')
const https = require('node:https')

const direct = https.Agent.prototype.createConnection
const TUNNEL_TIMEOUT_MS = 30_000

/** The proxy for a host by the environment as it is now; undefined: none, or one of a kind that only others speak. */
function proxyFor(host, port) {
  const value = process.env.https_proxy || process.env.HTTPS_PROXY
  if (!value || isDirect(host, port) || !URL.canParse(value)) return undefined
  const url = new URL(value)
  return url.protocol === 'http:' ? url : undefined
}

function isDirect(host, port) {
  const name = host.toLowerCase().replace(/^\[|\]$/g, '')
  if (name === 'localhost' || name === '::1' || /^127(\.\d+){3}$/.test(name)) return true
  return (process.env.no_proxy || process.env.NO_PROXY || '').split(/[\s,]+/).some((entry) => {
    if (entry === '*') return true
    const [, rule = '', onlyPort] = /^(.*?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? []
    const suffix = rule.replace(/^\*?\./, '')
    return suffix !== '' && (name === suffix || name.endsWith(`.${suffix}`)) && (onlyPort === undefined || onlyPort === String(port))
  })
}

https.Agent.prototype.createConnection = function createConnection(...args) {
  const [options, done] = args
  const isPlain = typeof options === 'object' && options !== null && typeof done === 'function'
  // `proxyEnv` is Node's own way (22.21, 24.5); sockets and paths are connections that somebody else has made or means.
  if (!isPlain || options.socket || options.path || options.socketPath || options.proxyEnv || this.options?.proxyEnv) return direct.apply(this, args)
  const host = options.host || 'localhost'
  const port = options.port || 443
  const proxy = proxyFor(host, port)
  if (proxy === undefined) return direct.apply(this, args)

  const target = `${host.includes(':') ? `[${host}]` : host}:${port}`
  const user = proxy.username === '' ? undefined : `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`
  const request = http.request({
    method: 'CONNECT',
    host: proxy.hostname.replace(/^\[|\]$/g, ''),
    port: proxy.port || 80,
    path: target,
    agent: false,
    headers: { host: target, ...(user === undefined ? {} : { 'proxy-authorization': `Basic ${Buffer.from(user).toString('base64')}` }) },
  })
  request.setTimeout(TUNNEL_TIMEOUT_MS, () => request.destroy(new Error(`the proxy ${proxy.host} did not connect to ${target}`)))
  request.once('error', (error) => done(error))
  request.once('connect', (response, socket, head) => {
    socket.setTimeout(0)
    if (response.statusCode !== 200) {
      socket.destroy()
      done(Object.assign(new Error(`the proxy ${proxy.host} refused to connect to ${target}: ${response.statusCode} ${response.statusMessage}`), { code: 'ERR_PROXY_TUNNEL' }))
      return
    }
    if (head.length > 0) socket.unshift(head)
    done(null, direct.call(this, { ...options, socket }))
  })
  request.end()
  return undefined
}
