// What a seller changes, clicking as a person does: an add-on more with a preview, confirmed, the next invoice looked up, undone.
// The preview and the next invoice must state the same figure. Every step is looked at in all four looks; only the first changes
// anything. RINGTILL_WALK is JSON: [{ "name", "origin", "email", "password" }], the operator.
import { Visit, looks, report, startBrowser } from './harness.mjs'

const [seller] = JSON.parse(process.env.RINGTILL_WALK)
const browser = await startBrowser()
const faults = []
let counted = 0
const FREE = 'input[name=add_on]:not([checked])'
const at = (path) => new URL(path, seller.origin).href

async function look(visit, name) {
  await visit.inspect(`commerce-${name}`)
  counted += 1
}

async function press(visit, button) {
  await Promise.all([visit.page.waitForNavigation({ waitUntil: 'load' }), button.click()])
}

/** The first customer with a subscription that may have an add-on more: its page, and the form of the change. */
async function withAddOns(visit) {
  await visit.goTo(at('/ops/customers'))
  const customers = await visit.page.locator('main a[href^="/ops/customers/cus_"]').evaluateAll((found) => found.map((link) => link.getAttribute('href')))
  for (const customer of [...new Set(customers)]) {
    await visit.goTo(at(customer))
    for (const link of await visit.page.locator('a[href$="/change"]').evaluateAll((found) => found.map((one) => one.getAttribute('href')))) {
      await visit.goTo(at(link))
      const tab = visit.page.locator('nav a', { hasText: /^Add-ons$/ })
      if ((await tab.count()) === 0) continue
      const form = await tab.getAttribute('href')
      await visit.goTo(new URL(form, visit.page.url()).href)
      if ((await visit.page.locator(FREE).count()) > 0) return { customer, form: visit.page.url() }
    }
  }
  throw new Error('nobody has a subscription that may have an add-on more')
}

const first = await Visit.begin(browser, looks[0])
await first.signIn(seller.origin, seller.email, seller.password)
const signedIn = await first.context.storageState()
const { customer, form } = await withAddOns(first)
const { page } = first
await first.goTo(form)
await page.locator(FREE).first().check()
await press(first, page.locator('button', { hasText: /^Preview$/ }))
const preview = page.url()
const shown = (await page.locator('#outcome .rt-kv .sum dd').first().innerText()).match(/[\d,]+\.\d\d/)?.[0]
await look(first, 'add-on-preview')
await press(first, page.locator('#outcome form button').last())
await look(first, 'add-on-confirmed')
await first.goTo(at(`${customer}/next-bill`))
const billed = await page.locator('main').innerText()
if (!shown || !billed.includes(shown)) first.faults.push(`${page.url()}: the preview said ${shown}, the next invoice does not`)
await look(first, 'next-bill')
await first.goTo(at(customer))
await press(first, page.locator('.rt-moves button', { hasText: /^Undo/ }).last())
if (!(await page.locator('.rt-moves').first().innerText()).includes('Undone')) first.faults.push(`${page.url()}: the change was not undone`)
await look(first, 'add-on-undone')
faults.push(...(await first.end()))
for (const other of looks.slice(1)) {
  const visit = await Visit.begin(browser, other, { storageState: signedIn })
  for (const [name, address] of [['add-on-preview', preview], ['add-on-undone', at(customer)], ['next-bill', at(`${customer}/next-bill`)]]) {
    await visit.goTo(address)
    await look(visit, name)
  }
  faults.push(...(await visit.end()))
}
await browser.close()
report(faults, counted)
