// The harness itself: each kind of fault is seen, and a page without one is not accused.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { Visit, looks, startBrowser } from './harness.mjs'

const page = (body, head = '') => `<!doctype html><html lang="en"><head><title>T</title><link rel="icon" href="data:,">${head}</head><body><main><h1>Calls</h1>${body}</main></body></html>`
const pages = {
  '/good': page('<p>Nothing to see.</p>'),
  '/console': page('<script src="/console.js"></script>'),
  '/uncaught': page('<script src="/uncaught.js"></script>'),
  '/missing': page('<img src="/nowhere.png" alt="A picture">'),
  '/unanswered': page('<img src="/cut-off.png" alt="A picture">'),
  '/policy': page('<p style="color: red">Styled in its own line.</p>'),
  '/unlabelled': page('<input name="amount">'),
  '/wide': page('<svg width="3000" height="10" role="img" aria-label="A wide bar"></svg>'),
  '/two-headings': page('<h1>Once more</h1>'),
  '/gone': page('<p>Gone.</p>'),
  '/sign-in': page('<form method="post"><label>Email <input name="email"></label><label>Password <input name="password" type="password"></label><button type="submit">Sign in</button></form>'),
  '/console.js': 'console.error("out of change")',
  '/uncaught.js': 'throw new Error("no such call")',
}
const server = createServer((request, response) => {
  if (request.url === '/cut-off.png') return request.socket.destroy()
  if (request.method === 'POST') return response.writeHead(303, { location: '/good' }).end()
  const text = pages[request.url]
  const type = request.url.endsWith('.js') ? 'text/javascript' : 'text/html'
  const status = text === undefined ? 404 : request.url === '/gone' ? 410 : 200
  response.writeHead(status, { 'content-type': type, 'content-security-policy': "default-src 'self'; img-src 'self' data:" })
  response.end(text ?? 'not found')
})
await new Promise((listening) => server.listen(0, '127.0.0.1', listening))
const origin = `http://127.0.0.1:${server.address().port}`
const browser = await startBrowser()

async function faultsOf(path, prepare = () => {}) {
  const visit = await Visit.begin(browser, looks[2])
  prepare(visit)
  await visit.goTo(origin + path)
  await visit.inspect('harness')
  return visit.end()
}

let passed = 0
async function sees(path, pattern) {
  const faults = await faultsOf(path)
  assert.ok(faults.some((fault) => pattern.test(fault)), `${path} should show ${pattern}, and showed ${JSON.stringify(faults)}`)
  passed += 1
}

await sees('/console', /console: out of change/)
await sees('/uncaught', /uncaught: no such call/)
await sees('/missing', /404 for GET .*nowhere\.png/)
await sees('/unanswered', /no answer for .*cut-off\.png/)
await sees('/policy', /policy breach: style-src/)
await sees('/unlabelled', /accessibility label/)
await sees('/wide', /wide on a screen of 390/)
await sees('/two-headings', /2 h1 headings/)
await sees('/gone', /410/)
assert.deepEqual(await faultsOf('/good'), [])
assert.deepEqual(await faultsOf('/gone', (visit) => visit.expect(410, '/gone')), [])
const visit = await Visit.begin(browser, looks[0])
await visit.signIn(origin, 'ana@example.com', 'a long enough secret')
assert.equal(new URL(visit.page.url()).pathname, '/good')
assert.deepEqual(await visit.end(), [])
passed += 3

await browser.close()
server.close()
console.log(`${passed} passed, 0 failed`)
