/** What a configuration's MQTT sections make, apart from other parts, since `bridge` needs neither history nor model. */
import type { MqttSinkConfig, MqttSourceConfig } from '../config/schema.ts'
import { MqttSource } from '../sources/mqtt.ts'
import type { MqttAddress } from '../sources/mqtt-client.ts'
import { openTls } from '../sources/tls.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'

export function mqttSource(config: MqttSourceConfig, telemetry: Telemetry): MqttSource {
  const { topics, qos, keep_session: keepSession } = config
  return new MqttSource({ ...mqttAddress(config, 'source', telemetry), topics, qos, keepSession })
}

/** The broker of a section, and what becomes of readiness when it is lost. */
export function mqttAddress(
  config: MqttSourceConfig | MqttSinkConfig,
  configKey: string,
  telemetry: Telemetry,
): MqttAddress {
  const { url, tls, username, password } = config
  return {
    url,
    configKey,
    clientId: config.client_id,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(url.startsWith('mqtts:') ? { tls: openTls(tls ?? {}, `${configKey}.tls`) } : {}),
    onEvent(name, detail) {
      telemetry.sourceEvent(name, detail)
      if (name === 'mqtt_lost') telemetry.notReady(`no connection to the MQTT broker: ${detail}`)
      if (name === 'mqtt_back') telemetry.ready()
    },
  }
}
