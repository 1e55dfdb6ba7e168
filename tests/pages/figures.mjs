// From an invoice to the call that it charges, clicking as a person does: the list, an invoice, a line opened in place, one of
// its calls. Every step must state the figure of the step before.
// RINGTILL_WALK is JSON: [{ "origin", "email", "password" }], the admin of a call centre.
import { Visit, looks, report, startBrowser } from './harness.mjs'

const [admin] = JSON.parse(process.env.RINGTILL_WALK)
const browser = await startBrowser()
const visit = await Visit.begin(browser, looks[0])
const { page } = visit
const faults = visit.faults
let checked = 0

function same(shown, expected, what) {
  checked += 1
  if (shown !== expected) faults.push(`${page.url()}: ${what} is ${shown}, not ${expected}`)
}

/** "1,234.50" in millionths, so that sums are exact. */
const millionths = (text) => Math.round(Number(text.replaceAll(',', '').replace('−', '-').match(/-?\d+(\.\d+)?/)[0]) * 1_000_000)

/** Charges, the foot below them, and the net of the line: each sum is exact, to the last digit shown. */
function addsUp(charges, foot, net, what) {
  const sum = charges.reduce((before, charge) => before + millionths(charge), 0)
  same(sum, millionths(foot[0]), `${what}: the sum of ${charges.length} charges`)
  const steps = foot.slice(0, -1).reduce((before, step) => before + millionths(step), 0)
  same(steps, millionths(foot.at(-1)), `${what}: the steps from the charges to the net`)
  same(foot.at(-1), net, `${what}: the net beneath a line`)
}

/** Every line of the invoice that stands open here, read as its twist reads it. Returns how many have calls with charges. */
async function addUpAllLines() {
  const lines = await page.locator('a.rt-twist').evaluateAll(async (twists) => {
    const texts = (root, of) => [...root.querySelectorAll(of)].map((cell) => cell.textContent.trim())
    return Promise.all(twists.map(async (twist) => {
      const answer = await fetch(twist.getAttribute('hx-get'))
      const part = new DOMParser().parseFromString(await answer.text(), 'text/html')
      const row = twist.closest('tr')
      return {
        name: twist.getAttribute('aria-label'),
        net: row.lastElementChild.textContent.trim(),
        head: texts(part, 'thead th:last-child')[0] ?? '',
        charges: texts(part, 'tbody td:last-child'),
        foot: texts(part, 'tfoot td:last-child'),
      }
    }))
  })
  const charged = lines.filter((line) => line.head.startsWith('Charge'))
  for (const line of charged) addsUp(line.charges, line.foot, line.net, line.name)
  for (const line of lines) same(line.foot.includes('0.00'), false, `${line.name}: a charge of nothing in the foot`)
  return charged.length
}

/** Opens lines until one shows calls of its own, all of them. */
async function openLineWithCalls() {
  for (const twist of await page.locator('a.rt-twist').all()) {
    await twist.click()
    const id = await twist.getAttribute('aria-controls')
    const nest = page.locator(`#${id}`)
    await nest.locator('.rt-nest:not(.loading)').waitFor()
    same(await twist.getAttribute('aria-expanded'), 'true', 'an opened line')
    same(await nest.isVisible(), true, 'what lies beneath an opened line')
    // A plan that charges for a whole period has calls without a charge of their own.
    const charged = (await nest.locator('thead th').last().innerText()).startsWith('Charge')
    if (charged && (await nest.locator('.more').count()) === 0) return { line: page.locator(`#${id.replace('calls-', 'line-')}`), nest }
  }
  return undefined
}

await visit.signIn(admin.origin, admin.email, admin.password)
await visit.goTo(new URL('/admin/invoices', admin.origin).href)
const invoices = await page.locator('main tr.link a[href^="/admin/invoices/"]').count()
let opened
for (let index = 0; index < invoices && !opened; index += 1) {
  await visit.goTo(new URL('/admin/invoices', admin.origin).href)
  await visit.follow(page.locator('main tr.link a[href^="/admin/invoices/"]').nth(index))
  opened = await openLineWithCalls()
}
if (!opened) throw new Error('no invoice has a line with calls beneath')

await visit.inspect('tenant-invoice-line-open')
const rows = opened.nest.locator('tbody tr')
const charges = await rows.locator('td:last-child').allInnerTexts()
const foot = await opened.nest.locator('tfoot td:last-child').allInnerTexts()
addsUp(charges, foot, (await opened.line.locator('td').last().innerText()).trim(), 'the opened line')

const charge = charges[0].trim()
await visit.follow(rows.first().locator('a[href^="/admin/calls/"]'))
const heading = await page.locator('h1').innerText()
same(heading.includes(charge), true, `the call of ${charge}, headed "${heading}", and its row`)
same((await page.locator('main').innerText()).includes('same result'), true, 'the price recomputed')
await visit.inspect('tenant-call-of-an-invoice')

// Not only that one: every line of every invoice on the first page of the list.
let lines = 0
for (let index = 0; index < invoices; index += 1) {
  await visit.goTo(new URL('/admin/invoices', admin.origin).href)
  await visit.goTo(await page.locator('main tr.link a[href^="/admin/invoices/"]').nth(index).evaluate((link) => link.href))
  lines += await addUpAllLines()
}
same(lines > invoices, true, `${lines} lines with charged calls on ${invoices} invoices`)

// A balance is rounded down wherever it stands: the heading of a customer says what its newest movement says.
await visit.goTo(new URL('/admin/customers', admin.origin).href)
const customers = await page.locator('main tr.link a[href^="/admin/customers/"]').evaluateAll((links) => links.map((link) => link.href))
let wallets = 0
for (const customer of new Set(customers)) {
  await visit.goTo(customer)
  const has = (await page.locator('h1').innerText()).match(/ has (−?)\D*([\d.,]+)$/)
  const movements = page.locator('table').filter({ hasText: 'Movements of the wallet' })
  if (!has || (await movements.locator('tbody tr').count()) === 0) continue
  wallets += 1
  same((await movements.locator('tbody tr').first().locator('td').last().innerText()).trim(), has[1] + has[2], 'the balance after the newest movement')
}
same(wallets > 0, true, 'there are wallets to look at')

// The bill that the call centre itself got opens the same way, and its minutes lead to the calls of each number.
await visit.goTo(new URL('/admin/account', admin.origin).href)
await visit.follow(page.locator('a[href^="/admin/account/invoices/"]').first())
for (const twist of await page.locator('a.rt-twist').all()) {
  await twist.click()
  await page.locator(`#${await twist.getAttribute('aria-controls')} .rt-nest:not(.loading)`).waitFor()
}
const minutes = page.locator('tr[id^="line-"]').filter({ hasText: 'Minutes' })
const charged = (await minutes.locator('td').nth(1).innerText()).match(/[\d.,]+/)[0]
const numbers = page.locator('.rt-nest').filter({ has: page.locator('a[href^="/admin/calls?"]') }).first()
same((await numbers.locator('tfoot td').last().innerText()).trim(), charged, 'the minutes of all numbers')
await visit.inspect('tenant-bill-lines-open')
await visit.follow(numbers.locator('a[href^="/admin/calls?"]').first())
same((await page.locator('main tbody tr').count()) > 0, true, 'the calls of a number that the bill names')

for (const path of ['/admin/calls/call_0000000000000000000001', '/admin/customers/nobody', '/admin/nothing-here']) {
  visit.expect(404, path)
  await visit.goTo(new URL(path, admin.origin).href)
  same(await page.locator('h1').count(), 1, 'the page of an unknown address')
}
await visit.inspect('tenant-not-found')

const all = await visit.end()
await browser.close()
report(all, checked)
