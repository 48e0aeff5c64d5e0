/** The engine's plain data, for the command line, which may import only this layer. */
export type { Address, EngineEvent, Plan, PlanNode } from '../engine/types.ts'
export type { Target } from './stack/cloud.ts'
