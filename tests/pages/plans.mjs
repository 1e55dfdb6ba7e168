// A plan changes under its customers, clicking as a seller does: a price with a cliff is warned of, a version that moves bills by
// more than 30% wants a tick, its customer is moved at renewal and back again; then a coupon is made and redeemed.
// RINGTILL_WALK is JSON: [{ "origin", "email", "password" }], the admin of a call centre.
import { Visit, looks, report, startBrowser } from './harness.mjs'

const [admin] = JSON.parse(process.env.RINGTILL_WALK)
const browser = await startBrowser()
const faults = []
let checked = 0
const at = (path) => new URL(path, admin.origin).href

function must(visit, holds, what) {
  checked += 1
  if (!holds) visit.faults.push(`${visit.page.url()}: ${what}`)
}

async function press(visit, name) {
  const button = visit.page.getByRole('button', { name }).first()
  await Promise.all([visit.page.waitForNavigation({ waitUntil: 'load' }), button.click()])
}

const seller = await Visit.begin(browser, looks[0])
await seller.signIn(admin.origin, admin.email, admin.password)
const signedIn = await seller.context.storageState()
const { page } = seller
const text = () => page.locator('main').innerText()

// The plan by hours: from 28.00 to 42.00 for the first 100, and 10.00 for all beyond: one hour more is cheaper.
await seller.goTo(at('/admin/plans'))
await seller.follow(page.locator('main').getByRole('link', { name: 'Per hour', exact: true }))
const plan = page.url()
await seller.goTo(`${plan}/draft`)
await Promise.all([
  page.waitForResponse((answer) => answer.request().method() === 'POST' && answer.url().endsWith('/draft')),
  page.locator('select[name="components/0/price/model"]').selectOption('volume'),
])
const tier = (index, field) => page.locator(`input[name="components/0/price/tiers/${index}/${field}"]`)
await tier(0, 'unit').waitFor()
// What a script or a hand has sized keeps its size out of what htmx copies: a style that is copied is a breach of the policy.
await page.locator('#preview').evaluate((part) => { part.style.minHeight = '1px' })
await page.locator('button[value="add components/0/price/tiers"]').click()
await tier(1, 'unit').waitFor()
await tier(0, 'up_to').fill('1000')
await tier(0, 'unit').fill('42')
await tier(1, 'unit').fill('10')
await press(seller, 'Review and publish')
const review = page.url()
must(seller, (await text()).includes('Worth a second look'), 'no warning of the cliff')
await seller.inspect('plan-cliff')
seller.expect(422, '/admin/plans/')
await press(seller, /^Publish/)
must(seller, (await text()).includes('Nothing was published.'), 'published without a tick')
must(seller, (await text()).includes('Must be ticked.'), 'the tick that is missing is not marked')
await seller.inspect('plan-untaken')
for (const other of looks.slice(1)) {
  const visit = await Visit.begin(browser, other, { storageState: signedIn })
  await visit.goTo(review)
  await visit.inspect('plan-cliff')
  faults.push(...(await visit.end()))
}
await page.locator('input[name=confirmed]').check()
await press(seller, /^Publish/)
must(seller, (await text()).includes('is published'), 'not published with the tick')

// Its customer moves when the month renews; until then the move can be undone.
await seller.goTo(`${plan}/moves`)
await page.locator('input[name=subscription]').first().check()
await page.locator('select[name=when], input[name=when][value=term]').first().evaluate((field) => {
  if (field.tagName === 'SELECT') field.value = 'term'
  else field.checked = true
})
await press(seller, 'Preview the move')
must(seller, (await text()).includes('What will happen'), 'no preview of the move')
const preview = page.url()
await seller.inspect('plan-move')
for (const other of looks.slice(1)) {
  const visit = await Visit.begin(browser, other, { storageState: signedIn })
  await visit.goTo(preview)
  await visit.inspect('plan-move')
  faults.push(...(await visit.end()))
}
await Promise.all([page.waitForNavigation({ waitUntil: 'load' }), page.locator('form[method=post] button.btn-lg').click()])
const undo = page.getByRole('button', { name: /^Undo/ })
must(seller, (await undo.count()) > 0, 'the move cannot be undone')
await seller.inspect('plan-moved')
await Promise.all([page.waitForNavigation({ waitUntil: 'load' }), undo.first().click()])
must(seller, (await page.getByRole('button', { name: /^Undo/ }).count()) === 0, 'the move is still there')
await seller.inspect('plan-move-undone')

// A coupon is written, and lowers the next invoice of a customer that subscribes with it.
await seller.goTo(at('/admin/coupons/new'))
await page.locator('input[name=code]').fill('TENTH')
await page.locator('input[name=name]').fill('A tenth off')
await page.locator('input[name=off]').fill('10')
await press(seller, 'Create the coupon')
must(seller, (await text()).includes('TENTH'), 'the coupon was not made')
await seller.goTo(at('/admin/customers'))
await seller.follow(page.locator('main a[href^="/admin/customers/cus_"]').first())
const customer = page.url()
await seller.goTo(`${customer}/subscriptions/new`)
await page.locator('label', { hasText: 'Per event' }).first().click()
await page.locator('input[name=coupon]').fill('nonsense')
seller.expect(422, '/admin/customers/')
await press(seller, /^(Preview|Subscribe|Begin)/)
must(seller, /coupon/i.test(await text()), 'a coupon that is none was not refused')
await seller.inspect('coupon-refused')
await page.locator('input[name=coupon]').fill('tenth')
await press(seller, /^(Preview|Subscribe|Begin)/)
await seller.inspect('coupon-redeemed')
must(seller, (await text()).includes('A tenth off'), 'the coupon is not shown')
faults.push(...(await seller.end()))
await browser.close()
report(faults, checked)
