// Fingers.
import { expect, test } from './world.ts'

test('a swipe replies, and a long touch opens the menu', async ({ meet }) => {
  const anna = await meet('Anna', { hasTouch: true, isMobile: true, viewport: { width: 390, height: 844 } })
  const bram = await meet('Bram')
  await anna.open(bram.phone)
  await anna.field.fill('Swipe me')
  await anna.page.getByRole('button', { name: 'Send', exact: true }).tap()
  await anna.expectTick('Swipe me', 'Delivered')
  const box = await anna.bubble('Swipe me').locator('.bubble').boundingBox()
  if (box === null) throw new Error('the message is not on the screen')
  const fingers = await anna.context.newCDPSession(anna.page)
  const at = { x: box.x + 10, y: box.y + box.height / 2 }
  const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', x = 0) =>
    fingers.send('Input.dispatchTouchEvent', { type, touchPoints: type === 'touchEnd' ? [] : [{ x: at.x + x, y: at.y }] })

  await touch('touchStart')
  for (let x = 10; x <= 80; x += 10) await touch('touchMove', x)
  await touch('touchEnd')
  await expect(anna.page.getByText(/Reply to .*You/)).toBeVisible()
  await anna.field.fill('Swiped')
  await anna.field.press('Control+Enter')
  await expect(anna.bubble('Swiped').getByRole('button', { name: /Swipe me/ })).toBeVisible()

  const again = await anna.bubble('Swiped').last().locator('.bubble').boundingBox()
  Object.assign(at, { x: (again?.x ?? 0) + 10, y: (again?.y ?? 0) + (again?.height ?? 0) / 2 })
  await touch('touchStart')
  await expect(anna.page.getByRole('menu')).toBeVisible()
  await touch('touchEnd')
})
