import { expect, test } from 'vitest'
import { loadOrder, parseModulesDep } from './kernel-modules.ts'

const text = `kernel/drivers/block/virtio_blk.ko: kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/virtio/virtio_ring.ko:
kernel/drivers/nvme/host/nvme-core.ko.xz:
kernel/drivers/nvme/host/nvme.ko.xz: kernel/drivers/nvme/host/nvme-core.ko.xz
`

test('modules come after what they need, each once; built-in ones are skipped', () => {
  expect(loadOrder(parseModulesDep(text), ['virtio_blk', 'ext4', 'nvme', 'virtio'])).toEqual([
    'kernel/drivers/virtio/virtio_ring.ko',
    'kernel/drivers/virtio/virtio.ko',
    'kernel/drivers/block/virtio_blk.ko',
    'kernel/drivers/nvme/host/nvme-core.ko.xz',
    'kernel/drivers/nvme/host/nvme.ko.xz',
  ])
})
