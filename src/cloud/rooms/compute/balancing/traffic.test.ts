import { expect, test } from 'vitest'
import { createTraffic } from './traffic.ts'

const head = '# pxname,svname,stot,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,req_tot,'

function stat(ok: number, failed: number, backend = 'b7'): string {
  return [head, `f1,FRONTEND,9,0,99,0,0,99,0,99,`, `${backend},i1-80,9,0,${ok},0,0,${failed},0,9,`, `${backend},BACKEND,9,0,${ok},0,0,${failed},0,9,`, ''].join('\n')
}

test('what was counted between two readings is a point; of the first reading nobody knows since when', () => {
  const traffic = createTraffic()
  traffic.note(stat(100, 5), 1000)
  expect(traffic.of('b7')).toEqual([])
  traffic.note(stat(110, 5), 2000)
  traffic.note(stat(110, 7), 3000)
  traffic.note(stat(111, 7), 4000)
  expect(traffic.of('b7')).toEqual([
    {
      codeClass: 200,
      points: [
        { startMs: 1000, endMs: 2000, count: 10 },
        { startMs: 3000, endMs: 4000, count: 1 },
      ],
    },
    { codeClass: 500, points: [{ startMs: 2000, endMs: 3000, count: 2 }] },
  ])
  expect(traffic.of('b8')).toEqual([])
})

test('a worker that begins anew counts from nought, whether that was said or is only seen', () => {
  const traffic = createTraffic()
  traffic.restarted(1000)
  traffic.note(stat(3, 0), 2000)
  traffic.restarted(2500)
  traffic.note(stat(4, 0), 3500)
  traffic.note(stat(1, 0), 4500)
  expect(traffic.of('b7')).toEqual([
    {
      codeClass: 200,
      points: [
        { startMs: 1000, endMs: 2000, count: 3 },
        { startMs: 2500, endMs: 3500, count: 4 },
        { startMs: 3500, endMs: 4500, count: 1 },
      ],
    },
  ])
})

test('points older than an hour go when newer ones come', () => {
  const traffic = createTraffic()
  traffic.restarted(0)
  traffic.note(stat(1, 0), 1000)
  traffic.note(stat(2, 0), 3_602_000)
  expect(traffic.of('b7')[0]?.points).toEqual([{ startMs: 1000, endMs: 3_602_000, count: 1 }])
})
