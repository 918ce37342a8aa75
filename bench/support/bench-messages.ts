import { create, fromBinary, fromJson, toBinary, toJson } from '@bufbuild/protobuf'
import type { DescMessage, DescService, Registry } from '@bufbuild/protobuf'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compileProtos } from '../../src/bridges/descriptors/compile-protos.ts'
import { readDescriptors } from '../../src/bridges/descriptors/descriptors.ts'

const folder = join(import.meta.dirname, '../protos')

/** Where `bench.proto` lies. */
export const benchProto = join(folder, 'bench.proto')

export const itemJson = {
  id: 'item-000042',
  title: 'A chair of oak, four legs, no arms',
  price: '12900',
  weight: 7.25,
  available: true,
  updated: '2026-11-24T09:30:00Z',
  tags: ['oak', 'chair', 'kitchen'],
  place: { shelf: 'hall-7', level: 3 },
}

/** The types of `bench.proto`, as a peer that knows them at run time has them. */
export interface BenchTypes {
  readonly registry: Registry
  readonly service: DescService
  readonly item: DescMessage
  readonly note: DescMessage
}

/** Compiles `bench.proto` and writes the descriptor set to a file, from which `readBenchTypes` reads it. */
export async function writeBenchTypes(file: string): Promise<void> {
  const { set, faults } = await compileProtos([benchProto], folder)
  if (set === undefined) throw new Error(JSON.stringify(faults))
  writeFileSync(file, set)
}

export function readBenchTypes(set: Uint8Array): BenchTypes {
  const { registry } = readDescriptors(set)
  return {
    registry,
    service: registry.getService('bench.v1.Bench')!,
    item: registry.getMessage('bench.v1.Item')!,
    note: registry.getMessage('bench.v1.Note')!,
  }
}

/** Messages in gRPC's frames. */
export function framedMessages(messages: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    messages.flatMap((message) => {
      const head = Buffer.alloc(5)
      head.writeUInt32BE(message.length, 1)
      return [head, message]
    }),
  )
}

export function itemBytes({ item, registry }: BenchTypes): Uint8Array {
  return toBinary(item, fromJson(item, itemJson, { registry }))
}

/** A message of 100 bytes. */
export function noteBytes({ note }: BenchTypes): Uint8Array {
  return toBinary(note, create(note, { text: 'x'.repeat(98) }))
}

/** JSON of an item to bytes and back: what every gateway has to do besides speaking. */
export function itemToBytes({ item, registry }: BenchTypes, json: string): Uint8Array {
  return toBinary(item, fromJson(item, JSON.parse(json), { registry }))
}

export function itemToJson({ item, registry }: BenchTypes, bytes: Uint8Array): string {
  return JSON.stringify(toJson(item, fromBinary(item, bytes), { registry }))
}
