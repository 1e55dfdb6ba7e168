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

/** "1,234.50" in thousandths of a cent, so that sums are exact. */
const thousandths = (text) => Math.round(Number(text.replaceAll(',', '').replace('−', '-').match(/-?\d+(\.\d+)?/)[0]) * 100_000)

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
    const charged = (await nest.locator('a[href^="/admin/calls/"]').count()) > 0 && !(await nest.innerText()).includes('in the line')
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
const total = await opened.nest.locator('tfoot td').last().innerText()
const sum = charges.reduce((before, charge) => before + thousandths(charge), 0)
// A row is shown to the cent and may hold half a cent more or less.
const apart = Math.abs(sum - thousandths(total)) <= charges.length * 500
same(apart, true, `the sum of ${charges.length} calls (${sum / 100_000}) against ${total}`)
const net = (await opened.line.locator('td').last().innerText()).trim()
same(total.match(/net ([\d.,]+)/)?.[1], net, 'the net of the calls beneath a line')

const charge = charges[0].trim()
await visit.follow(rows.first().locator('a[href^="/admin/calls/"]'))
const heading = await page.locator('h1').innerText()
same(heading.includes(charge), true, `the call of ${charge}, headed "${heading}", and its row`)
same((await page.locator('main').innerText()).includes('same result'), true, 'the price recomputed')
await visit.inspect('tenant-call-of-an-invoice')

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
