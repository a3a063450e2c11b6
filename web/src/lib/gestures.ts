// Fingers: a swipe in the direction of reading, and a long touch. Mice and pens have their own ways.

const SWIPE_MIN = 56
const SWIPE_SLANT_MAX = 30
const HOLD_MS = 450
const HOLD_DRIFT_MAX = 8

interface Gestures {
  swipe: () => void
  hold: (at: { x: number; y: number }) => void
}

/** An attachment for an element. */
export function gestures({ swipe, hold }: Gestures) {
  return (element: HTMLElement) => {
    let from: { x: number; y: number } | undefined
    let holding: ReturnType<typeof setTimeout> | undefined

    const end = () => {
      clearTimeout(holding)
      from = undefined
      element.style.translate = ''
    }
    const down = (event: PointerEvent) => {
      if (event.pointerType !== 'touch') return
      const start = { x: event.clientX, y: event.clientY }
      from = start
      holding = setTimeout(() => {
        end()
        hold(start)
      }, HOLD_MS)
    }
    const move = (event: PointerEvent) => {
      if (from === undefined) return
      const sideways = (event.clientX - from.x) * (document.documentElement.dir === 'rtl' ? -1 : 1)
      const slant = Math.abs(event.clientY - from.y)
      if (Math.abs(sideways) > HOLD_DRIFT_MAX || slant > HOLD_DRIFT_MAX) clearTimeout(holding)
      if (slant > SWIPE_SLANT_MAX) return end()
      if (sideways > HOLD_DRIFT_MAX) element.style.translate = `${Math.sign(event.clientX - from.x) * Math.min(sideways, SWIPE_MIN)}px`
    }
    const up = (event: PointerEvent) => {
      if (from === undefined) return
      const sideways = (event.clientX - from.x) * (document.documentElement.dir === 'rtl' ? -1 : 1)
      end()
      if (sideways >= SWIPE_MIN) swipe()
    }
    element.addEventListener('pointerdown', down)
    element.addEventListener('pointermove', move)
    element.addEventListener('pointerup', up)
    element.addEventListener('pointercancel', end)
    return () => {
      clearTimeout(holding)
      element.removeEventListener('pointerdown', down)
      element.removeEventListener('pointermove', move)
      element.removeEventListener('pointerup', up)
      element.removeEventListener('pointercancel', end)
    }
  }
}
