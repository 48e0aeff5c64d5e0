/** Which services are enabled is kept by the kernel, since every room asks it; this room has no tables of its own. */
import type { Migrations } from '../../../store/database.ts'

export const serviceUsageMigrations: Migrations = { namespace: 'serviceusage', steps: [] }
