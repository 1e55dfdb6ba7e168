// From an estimate to a subscription, clicking as people do: a visitor saves an estimate, its link is opened by somebody else;
// the seller makes a quote from a plan, copies its link; the reader accepts it, and the seller sees the customer.
// Every step must state the figure of the step before.
// RINGTILL_WALK is JSON: [{ "origin", "email", "password" }], the admin of a call centre.
import { Visit, looks, report, startBrowser } from './harness.mjs'

const [admin] = JSON.parse(process.env.RINGTILL_WALK)
const browser = await startBrowser()
const faults = []
let checked = 0

function same(visit, shown, expected, what) {
  checked += 1
  if (shown !== expected) visit.faults.push(`${visit.page.url()}: ${what} is ${shown}, not ${expected}`)
}

const url = (path) => new URL(path, admin.origin).href
const money = (text) => text.match(/[€][\d,.]+/)?.[0]

// A visitor keeps the sample, and somebody else reads it by its address.
const visitor = await Visit.begin(browser, looks[3])
await visitor.goTo(url('/estimate'))
const title = (await visitor.page.locator('#outcome h1').innerText()).trim()
await Promise.all([visitor.page.waitForURL('**/estimate/saved/**'), visitor.page.getByRole('button', { name: 'Save' }).click()])
await visitor.inspect('estimate-saved')
const shared = visitor.page.url()
const friend = await Visit.begin(browser, looks[0])
await friend.goTo(shared)
same(friend, (await friend.page.locator('h1').innerText()).trim(), title, 'the title of a shared estimate')
await friend.inspect('estimate-shared')
visitor.expect(404, '/estimate/saved/')
await visitor.goTo(`${shared.slice(0, -1)}x`)
same(visitor, await visitor.page.locator('h1').count(), 1, 'the page of a link that is none')
faults.push(...(await visitor.end()), ...(await friend.end()))

// The seller writes a quote from the first plan that is sold.
const seller = await Visit.begin(browser, looks[0])
await seller.signIn(admin.origin, admin.email, admin.password)
const { page } = seller
await seller.goTo(url('/admin/plans'))
await seller.follow(page.getByRole('link', { name: 'Quotes', exact: true }))
await seller.follow(page.getByRole('link', { name: 'New quote' }).first())
await seller.inspect('quote-source')
await seller.follow(page.locator('main tr.link a[href*="?plan="]').first())
seller.expect(422, '/admin/quotes')
await page.getByRole('button', { name: 'Write the quote' }).click()
await page.getByText('Nothing was saved.').waitFor()
await seller.inspect('quote-form-refused')
await page.getByLabel('Name', { exact: true }).fill('Nordwind GmbH')
for (const field of await page.locator('input[name^="quantities/"]').all()) await field.fill('300')
await Promise.all([page.waitForURL('**/admin/quotes/quo_*'), page.getByRole('button', { name: 'Write the quote' }).click()])
const quote = page.url()
const month = money(await page.locator('.rt-kv .sum').last().innerText())
await page.getByRole('button', { name: 'Make a link' }).click()
const link = await page.getByLabel('Link').inputValue()
await seller.inspect('quote-with-its-link')

// The reader sees the same month, is asked again for what is missing, and accepts.
const reader = await Visit.begin(browser, looks[3])
await reader.goTo(link)
await reader.inspect('quote-open')
same(reader, money(await reader.page.locator('.rt-kv .sum').last().innerText()), month, 'the month that a quote comes to')
const pdf = await reader.context.request.get(`${link}/pdf`)
same(reader, (await pdf.body()).subarray(0, 5).toString(), '%PDF-', 'the first bytes of the PDF')
reader.expect(422, '/quote/')
await reader.page.getByRole('button', { name: 'Accept the quote' }).click()
await reader.page.getByText('Must be ticked to accept.').waitFor()
await reader.inspect('quote-refused')
await reader.page.getByLabel('Your name').fill('Kim Lind')
await reader.page.getByLabel('Your e-mail').fill('kim@nordwind.example')
await reader.page.getByLabel('Address').fill('Am Kai 1\n20457 Hamburg')
await reader.page.getByLabel('I accept this quote').check()
await reader.page.getByRole('button', { name: 'Accept the quote' }).click()
await reader.page.getByText('Accepted by Kim Lind').waitFor()
same(reader, await reader.page.getByRole('button', { name: 'Accept the quote' }).count(), 0, 'ways to accept twice')
await reader.inspect('quote-accepted')
faults.push(...(await reader.end()))

// The seller finds it accepted, and the customer with its plan.
await seller.goTo(quote)
same(seller, await page.getByText('Accepted by Kim Lind').count(), 1, 'who accepted, told to the seller')
await seller.follow(page.locator('.rt-facts a[href^="/admin/customers/"]').first())
same(seller, (await page.locator('h1').innerText()).includes('Nordwind GmbH'), true, 'the customer that the quote has made')
// What a member saves is kept in its own book.
await seller.goTo(url('/estimate'))
await Promise.all([page.waitForURL('**/estimate/saved/**'), page.getByRole('button', { name: 'Save' }).click()])
await seller.goTo(url('/admin/estimates'))
await seller.inspect('estimates')
await seller.follow(page.locator('main a[href^="/admin/quotes/new?estimate="]').first())
await seller.inspect('quote-models')
faults.push(...(await seller.end()))
await browser.close()
report(faults, checked)
