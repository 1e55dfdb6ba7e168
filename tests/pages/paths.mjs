// The way of everybody but the tenant's admin, clicking as they do: each step states the figure of the step before.
// RINGTILL_WALK is JSON: [{ "name", "origin", "email", "password" }] of the customer, the agent, the operator and the reseller.
import { Visit, looks, report, startBrowser } from './harness.mjs'

const people = Object.fromEntries(JSON.parse(process.env.RINGTILL_WALK).map((person) => [person.name, person]))
const browser = await startBrowser()
const faults = []
let checked = 0

async function as(name, steps) {
  const { origin, email, password } = people[name]
  const visit = await Visit.begin(browser, looks[0])
  const same = (shown, expected, what) => {
    checked += 1
    if (shown !== expected) visit.faults.push(`${visit.page.url()}: ${what} is ${shown}, not ${expected}`)
  }
  await visit.signIn(origin, email, password)
  await steps(visit, visit.page, same, (path) => visit.goTo(new URL(path, origin).href))
  faults.push(...(await visit.end()))
}

const figure = (text) => text.match(/[\d,]+\.\d\d/)?.[0]
const heading = async (page) => figure(await page.locator('h1').innerText())

/** From a list of documents to the newest: what the list says is what its page says, and its lines sum to its net. */
async function document(visit, page, same, links) {
  const row = page.locator('main tr').filter({ has: page.locator(links) }).first()
  const total = figure(await row.innerText())
  await visit.follow(row.locator(links).first())
  same(await heading(page), total, 'the total of a document')
  const amounts = await page.locator('tr[id^="line-"] td:last-child').allInnerTexts()
  const cents = (text) => Math.round(Number(text.trim().replaceAll(',', '').replace('−', '-')) * 100)
  const net = figure(await page.locator('table:has(tr[id^="line-"]) > tfoot td').last().innerText())
  same(amounts.reduce((sum, amount) => sum + cents(amount), 0), cents(net), `the sum of ${amounts.length} lines`)
}

await as('customer', async (visit, page, same, go) => {
  const balance = figure(await page.locator('.rt-balance .v').innerText())
  const movements = page.locator('section').filter({ hasText: 'Calls and top-ups' }).locator('ul.rt-rows > li')
  same(figure(await movements.first().locator('.sub').innerText()), balance, 'the balance after the newest movement')
  const call = movements.filter({ has: page.locator('a[href^="/portal/calls/"]') }).first()
  const charge = figure(await call.locator('.money').innerText())
  await visit.follow(call.locator('a'))
  same(await heading(page), charge, 'the charge of a call')
  await go('/portal/invoices')
  await document(visit, page, same, 'a[href^="/portal/invoices/"]')
})

await as('agent', async (visit, page, same) => {
  for (const state of ['Ready', 'Not ready']) {
    const button = page.getByRole('button', { name: state, exact: true })
    await Promise.all([page.waitForResponse((response) => response.request().method() === 'POST'), button.click()])
    const pressed = page.locator('.rt-state [aria-pressed="true"]')
    await pressed.filter({ hasText: new RegExp(`^${state}$`) }).waitFor()
    same((await pressed.innerText()).trim(), state, 'the state of the agent')
  }
})

await as('operator', async (visit, page, same, go) => {
  await go('/ops/runs')
  const run = page.locator('main tr').filter({ has: page.locator('a[href^="/ops/runs/"]') }).first()
  const count = (await run.locator('td').nth(1).innerText()).trim()
  await visit.follow(run.locator('a').first())
  same((await page.locator('h1').innerText()).startsWith(`${count} `), true, `the heading of a run of ${count}`)
  await go('/ops/invoices')
  await document(visit, page, same, 'a[href^="/ops/invoices/"]')
  await page.locator('a.rt-twist').first().click()
  await page.locator('.rt-nest:not(.loading)').first().waitFor()
  await go('/ops/settlements')
  const statement = page.locator('main tr').filter({ has: page.locator('a[href^="/ops/settlements/"]') }).first()
  const payable = figure(await statement.innerText())
  await visit.follow(statement.locator('a').first())
  const sums = page.locator('section').filter({ has: page.getByRole('heading', { name: 'Payable' }) })
  same(figure((await sums.innerText()).split('Payable').pop()), payable, 'what a statement pays')
})

await as('reseller', async (visit, page, same, go) => {
  await go('/reseller/invoices')
  await document(visit, page, same, 'a[href^="/reseller/invoices/"]')
  await go('/reseller/account')
  await document(visit, page, same, 'a[href^="/reseller/account/invoices/"]')
})

await browser.close()
report(faults, checked)
