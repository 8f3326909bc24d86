BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE attachment (
	id INTEGER NOT NULL, 
	case_id INTEGER NOT NULL, 
	task_id INTEGER, 
	name VARCHAR(255) NOT NULL, 
	media_type VARCHAR(100) NOT NULL, 
	size INTEGER NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	added_by VARCHAR(64) NOT NULL, 
	added_at BIGINT NOT NULL, 
	content BLOB NOT NULL, 
	CONSTRAINT pk_attachment PRIMARY KEY (id), 
	CONSTRAINT fk_attachment_case_id FOREIGN KEY(case_id) REFERENCES case_file (id), 
	CONSTRAINT fk_attachment_task_id FOREIGN KEY(task_id) REFERENCES task (id)
);
CREATE TABLE case_file (
	id INTEGER NOT NULL, 
	organisation VARCHAR(32) NOT NULL, 
	definition INTEGER NOT NULL, 
	process_id VARCHAR(120) NOT NULL, 
	number VARCHAR(60) NOT NULL, 
	title VARCHAR(200) NOT NULL, 
	state VARCHAR(16) DEFAULT 'open' NOT NULL, 
	outcome VARCHAR(200), 
	reporter VARCHAR(64) NOT NULL, 
	owning_unit VARCHAR(120) NOT NULL, 
	known_at BIGINT, 
	version INTEGER NOT NULL, 
	marking TEXT NOT NULL, 
	facts TEXT NOT NULL, 
	started_at BIGINT NOT NULL, 
	changed_at BIGINT NOT NULL, 
	ended_at BIGINT, 
	merged_into INTEGER, 
	history_seq INTEGER NOT NULL, 
	history_digest VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_case_file PRIMARY KEY (id), 
	CONSTRAINT ck_case_file_state CHECK (state IN ('open', 'closed', 'withdrawn')), 
	CONSTRAINT fk_case_file_definition FOREIGN KEY(definition) REFERENCES definition (id), 
	CONSTRAINT fk_case_file_merged_into FOREIGN KEY(merged_into) REFERENCES case_file (id), 
	CONSTRAINT uq_case_file_organisation_number UNIQUE (organisation, number)
);
INSERT INTO "case_file" VALUES(1,'office',2,'office_midway','案R8-0001','書類の所在が分からない','open',NULL,'staff.a','a',1794787200000000,7,'[1,32,6,null,[[1,0,0,0,[[2,1]],[[35,0],[37,1]]],[6,1,1,4,[],[],{"loop_index":1,"person":{"label":"乙"}}],[7,1,1,4,[],[],{"loop_index":2,"person":{"label":"丙"}}],[13,3,1,12],[15,4,1,14],[23,2,1,8,[],[],{"loop_index":1}],[30,6,1]],[[3,1,3,[[4,1]]],[4,1,7,[],[3,3,1,[]]],[8,1,8,[],[3,2,1,[]]],[10,1,9],[11,1,10,[[11,0]]],[12,1,13,[[14,0]]],[14,1,15],[16,1,16],[18,6,7],[19,7,7],[22,15,33],[24,23,8],[25,13,30],[31,30,38]]]','{"amount":150,"ask":[{"answer":"なし"}],"duty":"yes","item_summary":"書類の所在が分からない","known_at":"2026-11-16T09:00+09:00","left_note":"済み","owning_unit":"a","persons":[{"label":"甲"},{"label":"乙"},{"label":"丙"}],"report_days":30,"reported_at":"2026-11-16T10:00:00+09:00","reporter":"staff.a","reporting_unit":"a","turns":[{"reply":"一"}],"wake_at":"2026-12-10T09:00+09:00"}',1794790800000000,1794913200000000,NULL,NULL,28,'854c310869b6d558f4de0bb1091300b46f865562347e46118c61b2890d8238bc');
INSERT INTO "case_file" VALUES(2,'office',1,'office_approval','案R8-0002','持出しの申請','open',NULL,'staff.a','a',1794790800000000,3,'[1,5,-1,null,[[1]],[[4,1,1]]]','{"item_summary":"持出しの申請","known_at":"2026-11-16T10:00+09:00","opinion":"よい","owning_unit":"a","reported_at":"2026-11-16T10:00:00+09:00","reporter":"staff.a","reporting_unit":"a"}',1794790800000000,1794790800000000,NULL,NULL,6,'fb3ec8f295e46577bd678d22200eb8bf8ca39dfec4125750509880e61cf195e9');
INSERT INTO "case_file" VALUES(3,'office',1,'office_approval','案R8-0003','終わった申請','closed','承認済み','staff.a','a',1794790800000000,3,'[1,5,3,"approved",[],[]]','{"item_summary":"終わった申請","known_at":"2026-11-16T10:00+09:00","opinion":"よい","owning_unit":"a","reported_at":"2026-11-16T10:00:00+09:00","reporter":"staff.a","reporting_unit":"a","verdict":"granted"}',1794790800000000,1794790800000000,1794790800000000,NULL,6,'d052b43fcec8b4521db8d04e8c0b8e4f26551a3568c537fe142a53a0106976db');
CREATE TABLE case_link (
	case_id INTEGER NOT NULL, 
	other_id INTEGER NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	CONSTRAINT pk_case_link PRIMARY KEY (case_id, other_id, kind), 
	CONSTRAINT fk_case_link_case_id FOREIGN KEY(case_id) REFERENCES case_file (id), 
	CONSTRAINT fk_case_link_other_id FOREIGN KEY(other_id) REFERENCES case_file (id)
);
CREATE TABLE case_seat (
	case_id INTEGER NOT NULL, 
	organisation VARCHAR(32) NOT NULL, 
	seat VARCHAR(160) NOT NULL, 
	CONSTRAINT pk_case_seat PRIMARY KEY (case_id, organisation, seat), 
	CONSTRAINT fk_case_seat_case_id FOREIGN KEY(case_id) REFERENCES case_file (id)
);
INSERT INTO "case_seat" VALUES(1,'office','person:staff.a');
INSERT INTO "case_seat" VALUES(1,'office','audit_officer@office');
INSERT INTO "case_seat" VALUES(1,'office','protection_manager@a');
INSERT INTO "case_seat" VALUES(1,'office','division_protection_manager@north');
INSERT INTO "case_seat" VALUES(2,'office','person:staff.a');
INSERT INTO "case_seat" VALUES(2,'office','audit_officer@office');
INSERT INTO "case_seat" VALUES(2,'office','protection_manager@a');
INSERT INTO "case_seat" VALUES(3,'office','person:staff.a');
INSERT INTO "case_seat" VALUES(3,'office','audit_officer@office');
INSERT INTO "case_seat" VALUES(3,'office','protection_manager@a');
INSERT INTO "case_seat" VALUES(2,'office','person:protection_manager.a');
INSERT INTO "case_seat" VALUES(2,'office','division_protection_manager@north');
INSERT INTO "case_seat" VALUES(2,'office','person:division_protection_manager.north');
INSERT INTO "case_seat" VALUES(3,'office','person:protection_manager.a');
INSERT INTO "case_seat" VALUES(3,'office','division_protection_manager@north');
INSERT INTO "case_seat" VALUES(3,'office','person:division_protection_manager.north');
INSERT INTO "case_seat" VALUES(1,'office','person:protection_manager.a');
INSERT INTO "case_seat" VALUES(1,'office','person:division_protection_manager.north');
CREATE TABLE counter (
	organisation VARCHAR(32) NOT NULL, 
	name VARCHAR(60) NOT NULL, 
	period VARCHAR(20) NOT NULL, 
	value INTEGER NOT NULL, 
	CONSTRAINT pk_counter PRIMARY KEY (organisation, name, period)
);
INSERT INTO "counter" VALUES('office','history','',14);
INSERT INTO "counter" VALUES('office','general','2026',3);
CREATE TABLE definition (
	id INTEGER NOT NULL, 
	organisation VARCHAR(32) NOT NULL, 
	process_id VARCHAR(120) NOT NULL, 
	version INTEGER NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	bundle TEXT NOT NULL, 
	deployed_at BIGINT NOT NULL, 
	deployed_by VARCHAR(64) NOT NULL, 
	in_force_from BIGINT NOT NULL, 
	CONSTRAINT pk_definition PRIMARY KEY (id), 
	CONSTRAINT uq_definition_organisation_process_id_version UNIQUE (organisation, process_id, version)
);
INSERT INTO "definition" VALUES(1,'office','office_approval',1,'手続','8719e8a1679686d27a3dcd4da5180dd4a07d24fe0b616f1615a703fd5a3b6d53','{"office/approval.bpmn": "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<bpmn:definitions xmlns:bpmn=\"http://www.omg.org/spec/BPMN/20100524/MODEL\" xmlns:camunda=\"http://camunda.org/schema/1.0/bpmn\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" targetNamespace=\"http://tadachi.example\"><bpmn:message id=\"m_go\" name=\"go\"/><bpmn:signal id=\"s_go\" name=\"go\"/><bpmn:message id=\"m_stop\" name=\"stop\"/><bpmn:signal id=\"s_stop\" name=\"stop\"/><bpmn:error id=\"x_A\" errorCode=\"A\"/><bpmn:escalation id=\"c_A\" escalationCode=\"A\"/><bpmn:error id=\"x_B\" errorCode=\"B\"/><bpmn:escalation id=\"c_B\" escalationCode=\"B\"/><bpmn:process id=\"office_approval\" name=\"手続\" isExecutable=\"true\"><bpmn:extensionElements><camunda:properties><camunda:property name=\"withdraw\" value=\"until_first_act\"/></camunda:properties></bpmn:extensionElements><bpmn:startEvent id=\"apply\" name=\"申請\"><bpmn:extensionElements><camunda:formData><camunda:formField id=\"item_summary\" label=\"概要\" type=\"text\"><camunda:validation><camunda:constraint name=\"required\"/></camunda:validation></camunda:formField><camunda:formField id=\"owning_unit\" label=\"担当の課\" type=\"unit\"><camunda:validation><camunda:constraint name=\"required\"/></camunda:validation></camunda:formField></camunda:formData><camunda:properties></camunda:properties></bpmn:extensionElements></bpmn:startEvent><bpmn:userTask id=\"review\" name=\"審査\" camunda:candidateGroups=\"protection_manager@owning_unit\"><bpmn:extensionElements><camunda:formData><camunda:formField id=\"opinion\" label=\"意見\" type=\"text\"></camunda:formField></camunda:formData><camunda:properties><camunda:property name=\"clause\" value=\"C-2\"/></camunda:properties></bpmn:extensionElements></bpmn:userTask><bpmn:userTask id=\"approve\" name=\"承認\" camunda:candidateGroups=\"division_protection_manager@owning_unit\"><bpmn:extensionElements><camunda:formData><camunda:formField id=\"verdict\" label=\"決定\" type=\"enum\"><camunda:value id=\"granted\" name=\"承認\"/><camunda:value id=\"refused\" name=\"却下\"/></camunda:formField></camunda:formData><camunda:properties><camunda:property name=\"send_back_to\" value=\"review\"/><camunda:property name=\"not_same_person_as\" value=\"review\"/></camunda:properties></bpmn:extensionElements></bpmn:userTask><bpmn:endEvent id=\"approved\" name=\"承認済み\"></bpmn:endEvent><bpmn:sequenceFlow id=\"apply_review\" sourceRef=\"apply\" targetRef=\"review\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"review_approve\" sourceRef=\"review\" targetRef=\"approve\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"approve_approved\" sourceRef=\"approve\" targetRef=\"approved\"></bpmn:sequenceFlow></bpmn:process></bpmn:definitions>"}',1794790800000000,'administrator.office',1794790800000000);
INSERT INTO "definition" VALUES(2,'office','office_midway',1,'手続','017d5e32de295d47572bca084fafb0b3850fe85d637daf8b4745127b9a1beb9c','{"office/called.bpmn": "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<bpmn:definitions xmlns:bpmn=\"http://www.omg.org/spec/BPMN/20100524/MODEL\" xmlns:camunda=\"http://camunda.org/schema/1.0/bpmn\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" targetNamespace=\"http://tadachi.example\"><bpmn:message id=\"m_go\" name=\"go\"/><bpmn:signal id=\"s_go\" name=\"go\"/><bpmn:message id=\"m_stop\" name=\"stop\"/><bpmn:signal id=\"s_stop\" name=\"stop\"/><bpmn:error id=\"x_A\" errorCode=\"A\"/><bpmn:escalation id=\"c_A\" escalationCode=\"A\"/><bpmn:error id=\"x_B\" errorCode=\"B\"/><bpmn:escalation id=\"c_B\" escalationCode=\"B\"/><bpmn:process id=\"office_called\" name=\"手続\" isExecutable=\"true\"><bpmn:startEvent id=\"c_start\"></bpmn:startEvent><bpmn:userTask id=\"visit\" name=\"訪問\" camunda:candidateGroups=\"protection_manager@owning_unit\"><bpmn:extensionElements><camunda:properties><camunda:property name=\"urgency\" value=\"plain\"/></camunda:properties></bpmn:extensionElements></bpmn:userTask><bpmn:endEvent id=\"c_end\"></bpmn:endEvent><bpmn:sequenceFlow id=\"c_start_visit\" sourceRef=\"c_start\" targetRef=\"visit\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"visit_c_end\" sourceRef=\"visit\" targetRef=\"c_end\"></bpmn:sequenceFlow></bpmn:process></bpmn:definitions>", "office/midway.bpmn": "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<bpmn:definitions xmlns:bpmn=\"http://www.omg.org/spec/BPMN/20100524/MODEL\" xmlns:camunda=\"http://camunda.org/schema/1.0/bpmn\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" targetNamespace=\"http://tadachi.example\"><bpmn:message id=\"m_go\" name=\"go\"/><bpmn:signal id=\"s_go\" name=\"go\"/><bpmn:message id=\"m_stop\" name=\"stop\"/><bpmn:signal id=\"s_stop\" name=\"stop\"/><bpmn:error id=\"x_A\" errorCode=\"A\"/><bpmn:escalation id=\"c_A\" escalationCode=\"A\"/><bpmn:error id=\"x_B\" errorCode=\"B\"/><bpmn:escalation id=\"c_B\" escalationCode=\"B\"/><bpmn:message id=\"m_amend\" name=\"amend\"/><bpmn:message id=\"m_reply\" name=\"reply\"/><bpmn:process id=\"office_midway\" name=\"手続\" isExecutable=\"true\"><bpmn:extensionElements><camunda:properties><camunda:property name=\"withdraw\" value=\"until_end\"/></camunda:properties></bpmn:extensionElements><bpmn:startEvent id=\"begin\" name=\"開始\"><bpmn:extensionElements><camunda:formData><camunda:formField id=\"item_summary\" label=\"概要\" type=\"text\"><camunda:validation><camunda:constraint name=\"required\"/></camunda:validation></camunda:formField><camunda:formField id=\"owning_unit\" label=\"担当の課\" type=\"unit\"><camunda:validation><camunda:constraint name=\"required\"/></camunda:validation></camunda:formField><camunda:formField id=\"known_at\" label=\"知った日時\" type=\"datetime\"><camunda:validation><camunda:constraint name=\"not_after\" config=\"now\"/></camunda:validation></camunda:formField><camunda:formField id=\"duty\" label=\"義務\" type=\"enum\"><camunda:value id=\"yes\" name=\"はい\"/><camunda:value id=\"no\" name=\"いいえ\"/><camunda:value id=\"review\" name=\"判断待ち\"/></camunda:formField><camunda:formField id=\"report_days\" label=\"日数\" type=\"long\"><camunda:validation><camunda:constraint name=\"min\" config=\"1\"/><camunda:constraint name=\"max\" config=\"90\"/></camunda:validation></camunda:formField><camunda:formField id=\"persons\" label=\"人\" type=\"rows\"><camunda:value id=\"label\" name=\"名\"/></camunda:formField><camunda:formField id=\"wake_at\" label=\"起きる日時\" type=\"datetime\"></camunda:formField></camunda:formData><camunda:properties><camunda:property name=\"clause\" value=\"C-1\"/></camunda:properties></bpmn:extensionElements></bpmn:startEvent><bpmn:parallelGateway id=\"fork\"></bpmn:parallelGateway><bpmn:userTask id=\"left\" name=\"左\" camunda:candidateGroups=\"protection_manager@owning_unit\"><bpmn:extensionElements><camunda:formData><camunda:formField id=\"left_note\" label=\"左の記録\" type=\"string\"></camunda:formField></camunda:formData><camunda:properties><camunda:property name=\"urgency\" value=\"at_once\"/></camunda:properties></bpmn:extensionElements></bpmn:userTask><bpmn:userTask id=\"right\" name=\"右\" camunda:candidateGroups=\"division_protection_manager@owning_unit\"><bpmn:extensionElements><camunda:formData><camunda:formField id=\"amount\" label=\"金額\" type=\"long\"></camunda:formField></camunda:formData><camunda:properties><camunda:property name=\"urgency\" value=\"promptly\"/></camunda:properties></bpmn:extensionElements></bpmn:userTask><bpmn:boundaryEvent id=\"again\" attachedToRef=\"right\" cancelActivity=\"false\"><bpmn:timerEventDefinition><bpmn:timeCycle xsi:type=\"bpmn:tFormalExpression\">R3/P1D</bpmn:timeCycle></bpmn:timerEventDefinition></bpmn:boundaryEvent><bpmn:sendTask id=\"remember\" name=\"毎日の知らせ\" camunda:topic=\"notify\"><bpmn:extensionElements><camunda:properties><camunda:property name=\"to\" value=\"protection_manager@owning_unit\"/></camunda:properties></bpmn:extensionElements></bpmn:sendTask><bpmn:endEvent id=\"remembered\" name=\"知らせた\"></bpmn:endEvent><bpmn:userTask id=\"ask\" name=\"照会\" camunda:candidateGroups=\"protection_manager@owning_unit\"><bpmn:extensionElements><camunda:formData><camunda:formField id=\"answer\" label=\"回答\" type=\"string\"></camunda:formField></camunda:formData><camunda:properties></camunda:properties></bpmn:extensionElements><bpmn:multiInstanceLoopCharacteristics isSequential=\"false\" camunda:collection=\"persons\" camunda:elementVariable=\"person\"></bpmn:multiInstanceLoopCharacteristics></bpmn:userTask><bpmn:userTask id=\"turns\" name=\"順の照会\" camunda:candidateGroups=\"division_protection_manager@owning_unit\"><bpmn:extensionElements><camunda:formData><camunda:formField id=\"reply\" label=\"回答\" type=\"string\"></camunda:formField></camunda:formData><camunda:properties></camunda:properties></bpmn:extensionElements><bpmn:multiInstanceLoopCharacteristics isSequential=\"true\"><bpmn:loopCardinality>3</bpmn:loopCardinality></bpmn:multiInstanceLoopCharacteristics></bpmn:userTask><bpmn:intermediateCatchEvent id=\"sleep\" name=\"待つ\"><bpmn:timerEventDefinition><bpmn:timeDate xsi:type=\"bpmn:tFormalExpression\">wake_at</bpmn:timeDate></bpmn:timerEventDefinition></bpmn:intermediateCatchEvent><bpmn:sendTask id=\"tell_desk\" name=\"係への知らせ\" camunda:topic=\"notify\"><bpmn:extensionElements><camunda:properties><camunda:property name=\"to\" value=\"desk_officer@desk\"/><camunda:property name=\"sets\" value=\"told_by=reporter\"/></camunda:properties></bpmn:extensionElements></bpmn:sendTask><bpmn:boundaryEvent id=\"give_up\" attachedToRef=\"tell_desk\" cancelActivity=\"true\"><bpmn:timerEventDefinition><bpmn:timeDuration xsi:type=\"bpmn:tFormalExpression\">P60D</bpmn:timeDuration></bpmn:timerEventDefinition></bpmn:boundaryEvent><bpmn:userTask id=\"tell_by_hand\" name=\"係への電話\" camunda:candidateGroups=\"protection_manager@owning_unit\"><bpmn:extensionElements><camunda:properties></camunda:properties></bpmn:extensionElements></bpmn:userTask><bpmn:subProcess id=\"inner\" name=\"中の手順\"><bpmn:startEvent id=\"in_start\"></bpmn:startEvent><bpmn:userTask id=\"draft\" name=\"下書き\" camunda:candidateGroups=\"protection_manager@owning_unit\"><bpmn:extensionElements><camunda:properties></camunda:properties></bpmn:extensionElements></bpmn:userTask><bpmn:userTask id=\"confirm\" name=\"確認\" camunda:candidateGroups=\"division_protection_manager@owning_unit\"><bpmn:extensionElements><camunda:properties><camunda:property name=\"send_back_to\" value=\"draft\"/><camunda:property name=\"not_same_person_as\" value=\"draft\"/></camunda:properties></bpmn:extensionElements></bpmn:userTask><bpmn:endEvent id=\"in_end\"></bpmn:endEvent><bpmn:sequenceFlow id=\"in_start_draft\" sourceRef=\"in_start\" targetRef=\"draft\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"draft_confirm\" sourceRef=\"draft\" targetRef=\"confirm\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"confirm_in_end\" sourceRef=\"confirm\" targetRef=\"in_end\"></bpmn:sequenceFlow></bpmn:subProcess><bpmn:boundaryEvent id=\"inner_late\" attachedToRef=\"inner\" cancelActivity=\"true\"><bpmn:timerEventDefinition><bpmn:timeDuration xsi:type=\"bpmn:tFormalExpression\">P90D</bpmn:timeDuration></bpmn:timerEventDefinition></bpmn:boundaryEvent><bpmn:callActivity id=\"called\" calledElement=\"office_called\"></bpmn:callActivity><bpmn:eventBasedGateway id=\"either\"></bpmn:eventBasedGateway><bpmn:intermediateCatchEvent id=\"answered\" name=\"返事\"><bpmn:extensionElements><camunda:properties><camunda:property name=\"candidateGroups\" value=\"protection_manager@owning_unit\"/></camunda:properties></bpmn:extensionElements><bpmn:messageEventDefinition messageRef=\"m_reply\"/></bpmn:intermediateCatchEvent><bpmn:intermediateCatchEvent id=\"unanswered\" name=\"返事なし\"><bpmn:timerEventDefinition><bpmn:timeDuration xsi:type=\"bpmn:tFormalExpression\">P20D</bpmn:timeDuration></bpmn:timerEventDefinition></bpmn:intermediateCatchEvent><bpmn:exclusiveGateway id=\"heard\"></bpmn:exclusiveGateway><bpmn:parallelGateway id=\"join\"></bpmn:parallelGateway><bpmn:userTask id=\"prepare\" name=\"報告の作成\" camunda:candidateGroups=\"protection_manager@owning_unit\"><bpmn:extensionElements><camunda:formData><camunda:formField id=\"reported_on\" label=\"提出日\" type=\"date\"></camunda:formField></camunda:formData><camunda:properties><camunda:property name=\"deadline\" value=\"report\"/><camunda:property name=\"clause\" value=\"C-2\"/></camunda:properties></bpmn:extensionElements></bpmn:userTask><bpmn:userTask id=\"finish\" name=\"終結\" camunda:candidateGroups=\"division_protection_manager@owning_unit\"><bpmn:extensionElements><camunda:properties><camunda:property name=\"clause\" value=\"C-3\"/></camunda:properties></bpmn:extensionElements></bpmn:userTask><bpmn:endEvent id=\"done\" name=\"終結\"></bpmn:endEvent><bpmn:endEvent id=\"phoned\" name=\"電話済み\"></bpmn:endEvent><bpmn:endEvent id=\"stopped_waiting\" name=\"待つのをやめた\"></bpmn:endEvent><bpmn:subProcess id=\"amend_at_any_time\" triggeredByEvent=\"true\"><bpmn:startEvent id=\"amend\" name=\"事実の更新\" isInterrupting=\"false\"><bpmn:extensionElements><camunda:formData><camunda:formField id=\"duty\" label=\"義務\" type=\"enum\"><camunda:value id=\"yes\" name=\"はい\"/><camunda:value id=\"no\" name=\"いいえ\"/><camunda:value id=\"review\" name=\"判断待ち\"/></camunda:formField><camunda:formField id=\"report_days\" label=\"日数\" type=\"long\"><camunda:validation><camunda:constraint name=\"min\" config=\"1\"/><camunda:constraint name=\"max\" config=\"90\"/></camunda:validation></camunda:formField><camunda:formField id=\"amount\" label=\"金額\" type=\"long\"></camunda:formField></camunda:formData><camunda:properties><camunda:property name=\"candidateGroups\" value=\"protection_manager@owning_unit\"/></camunda:properties></bpmn:extensionElements><bpmn:messageEventDefinition messageRef=\"m_amend\"/></bpmn:startEvent><bpmn:endEvent id=\"amend_done\" name=\"事実の更新済み\"></bpmn:endEvent><bpmn:sequenceFlow id=\"amend_amend_done\" sourceRef=\"amend\" targetRef=\"amend_done\"></bpmn:sequenceFlow></bpmn:subProcess><bpmn:subProcess id=\"large\" triggeredByEvent=\"true\"><bpmn:startEvent id=\"is_large\" name=\"大きい\" isInterrupting=\"false\"><bpmn:conditionalEventDefinition><bpmn:condition xsi:type=\"bpmn:tFormalExpression\">amount &gt; 100</bpmn:condition></bpmn:conditionalEventDefinition></bpmn:startEvent><bpmn:sendTask id=\"tell_large\" name=\"大きいことの知らせ\" camunda:topic=\"notify\"><bpmn:extensionElements><camunda:properties><camunda:property name=\"to\" value=\"desk_officer@desk\"/></camunda:properties></bpmn:extensionElements></bpmn:sendTask><bpmn:userTask id=\"watch\" name=\"見守り\" camunda:candidateGroups=\"general_protection_manager@organisation\"><bpmn:extensionElements><camunda:properties></camunda:properties></bpmn:extensionElements></bpmn:userTask><bpmn:endEvent id=\"watched\" name=\"見守った\"></bpmn:endEvent><bpmn:sequenceFlow id=\"is_large_tell_large\" sourceRef=\"is_large\" targetRef=\"tell_large\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"tell_large_watch\" sourceRef=\"tell_large\" targetRef=\"watch\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"watch_watched\" sourceRef=\"watch\" targetRef=\"watched\"></bpmn:sequenceFlow></bpmn:subProcess><bpmn:sequenceFlow id=\"begin_fork\" sourceRef=\"begin\" targetRef=\"fork\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"fork_left\" sourceRef=\"fork\" targetRef=\"left\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"left_join\" sourceRef=\"left\" targetRef=\"join\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"join_prepare\" sourceRef=\"join\" targetRef=\"prepare\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"prepare_finish\" sourceRef=\"prepare\" targetRef=\"finish\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"finish_done\" sourceRef=\"finish\" targetRef=\"done\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"fork_right\" sourceRef=\"fork\" targetRef=\"right\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"right_join\" sourceRef=\"right\" targetRef=\"join\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"fork_ask\" sourceRef=\"fork\" targetRef=\"ask\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"ask_join\" sourceRef=\"ask\" targetRef=\"join\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"fork_turns\" sourceRef=\"fork\" targetRef=\"turns\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"turns_join\" sourceRef=\"turns\" targetRef=\"join\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"fork_sleep\" sourceRef=\"fork\" targetRef=\"sleep\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"sleep_join\" sourceRef=\"sleep\" targetRef=\"join\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"fork_tell_desk\" sourceRef=\"fork\" targetRef=\"tell_desk\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"tell_desk_join\" sourceRef=\"tell_desk\" targetRef=\"join\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"fork_inner\" sourceRef=\"fork\" targetRef=\"inner\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"inner_join\" sourceRef=\"inner\" targetRef=\"join\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"fork_called\" sourceRef=\"fork\" targetRef=\"called\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"called_join\" sourceRef=\"called\" targetRef=\"join\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"fork_either\" sourceRef=\"fork\" targetRef=\"either\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"either_answered\" sourceRef=\"either\" targetRef=\"answered\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"answered_heard\" sourceRef=\"answered\" targetRef=\"heard\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"heard_join\" sourceRef=\"heard\" targetRef=\"join\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"either_unanswered\" sourceRef=\"either\" targetRef=\"unanswered\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"unanswered_heard\" sourceRef=\"unanswered\" targetRef=\"heard\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"again_remember\" sourceRef=\"again\" targetRef=\"remember\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"remember_remembered\" sourceRef=\"remember\" targetRef=\"remembered\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"give_up_tell_by_hand\" sourceRef=\"give_up\" targetRef=\"tell_by_hand\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"tell_by_hand_phoned\" sourceRef=\"tell_by_hand\" targetRef=\"phoned\"></bpmn:sequenceFlow><bpmn:sequenceFlow id=\"inner_late_stopped_waiting\" sourceRef=\"inner_late\" targetRef=\"stopped_waiting\"></bpmn:sequenceFlow></bpmn:process></bpmn:definitions>"}',1794790800000000,'administrator.office',1794790800000000);
CREATE TABLE draft (
	person VARCHAR(64) NOT NULL, 
	about VARCHAR(200) NOT NULL, 
	answers TEXT NOT NULL, 
	saved_at BIGINT NOT NULL, 
	CONSTRAINT pk_draft PRIMARY KEY (person, about), 
	CONSTRAINT fk_draft_person FOREIGN KEY(person) REFERENCES person (id)
);
CREATE TABLE history (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	chain VARCHAR(80) NOT NULL, 
	seq INTEGER NOT NULL, 
	organisation VARCHAR(32) NOT NULL, 
	case_id INTEGER, 
	tag VARCHAR(60) NOT NULL, 
	at BIGINT NOT NULL, 
	person VARCHAR(64) NOT NULL, 
	seat VARCHAR(160), 
	node VARCHAR(200), 
	task_id INTEGER, 
	clause VARCHAR(200), 
	definition INTEGER, 
	data TEXT NOT NULL, 
	previous VARCHAR(64) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	CONSTRAINT uq_history_chain_seq UNIQUE (chain, seq)
);
INSERT INTO "history" VALUES(1,'organisation:office',1,'office',NULL,'person.registered',1794790800000000,'staff.a',NULL,NULL,NULL,NULL,NULL,'{"name":"第一課 職員"}','0000000000000000000000000000000000000000000000000000000000000000','44000bc86edac8a9e924f310a3c28619684583a60092d0fe782c28889a3007c5');
INSERT INTO "history" VALUES(2,'organisation:office',2,'office',NULL,'seat.appointed',1794790800000000,'staff.a','staff@a',NULL,NULL,NULL,NULL,'{"from":"2022-04-01","kind":"main","name":"第一課 職員","to":null}','44000bc86edac8a9e924f310a3c28619684583a60092d0fe782c28889a3007c5','53c2679963b2e96fb0933af371c46799407fed4869160076e477a306d0220e18');
INSERT INTO "history" VALUES(3,'organisation:office',3,'office',NULL,'person.registered',1794790800000000,'protection_manager.a',NULL,NULL,NULL,NULL,NULL,'{"name":"第一課 保護管理者"}','53c2679963b2e96fb0933af371c46799407fed4869160076e477a306d0220e18','e20ec086d27b6cf3fe19a000fd7e49b060fa52b1368d80b0b191a080fa1992fe');
INSERT INTO "history" VALUES(4,'organisation:office',4,'office',NULL,'seat.appointed',1794790800000000,'protection_manager.a','protection_manager@a',NULL,NULL,NULL,NULL,'{"from":"2022-04-01","kind":"main","name":"第一課 保護管理者","to":null}','e20ec086d27b6cf3fe19a000fd7e49b060fa52b1368d80b0b191a080fa1992fe','ee89f9d5fe49648d29e6d87fcbefe85a91f3528e7eaed56d22ac377478c9ad6d');
INSERT INTO "history" VALUES(5,'organisation:office',5,'office',NULL,'person.registered',1794790800000000,'division_protection_manager.north',NULL,NULL,NULL,NULL,NULL,'{"name":"北部 部課等保護管理者"}','ee89f9d5fe49648d29e6d87fcbefe85a91f3528e7eaed56d22ac377478c9ad6d','db386d36df7c32809ae61a8fa8be29603b38223713f97a0b6232e62123cc14ac');
INSERT INTO "history" VALUES(6,'organisation:office',6,'office',NULL,'seat.appointed',1794790800000000,'division_protection_manager.north','division_protection_manager@north',NULL,NULL,NULL,NULL,'{"from":"2022-04-01","kind":"main","name":"北部 部課等保護管理者","to":null}','db386d36df7c32809ae61a8fa8be29603b38223713f97a0b6232e62123cc14ac','33e0d40e0baa9deda28fea3f2399546d35a4791a56ba47a341c8b7ab9aee2d37');
INSERT INTO "history" VALUES(7,'organisation:office',7,'office',NULL,'person.registered',1794790800000000,'general_protection_manager.office',NULL,NULL,NULL,NULL,NULL,'{"name":"試験庁 総括保護管理者"}','33e0d40e0baa9deda28fea3f2399546d35a4791a56ba47a341c8b7ab9aee2d37','e321edfb861b297f4ec3b9e2921d03bb1713789d4a13a8ffe18c398a71b770c2');
INSERT INTO "history" VALUES(8,'organisation:office',8,'office',NULL,'seat.appointed',1794790800000000,'general_protection_manager.office','general_protection_manager@office',NULL,NULL,NULL,NULL,'{"from":"2022-04-01","kind":"main","name":"試験庁 総括保護管理者","to":null}','e321edfb861b297f4ec3b9e2921d03bb1713789d4a13a8ffe18c398a71b770c2','c491dc2e70a4923ed2947f4ea287651d8c3454f5492fc48e6ce37dbed048d940');
INSERT INTO "history" VALUES(9,'organisation:office',9,'office',NULL,'person.registered',1794790800000000,'administrator.office',NULL,NULL,NULL,NULL,NULL,'{"name":"試験庁 管理者"}','c491dc2e70a4923ed2947f4ea287651d8c3454f5492fc48e6ce37dbed048d940','0fabb06a936776a780e153825b3266eeae7ea18a2994fb89988ac7767a0a2de1');
INSERT INTO "history" VALUES(10,'organisation:office',10,'office',NULL,'seat.appointed',1794790800000000,'administrator.office','administrator@office',NULL,NULL,NULL,NULL,'{"from":"2022-04-01","kind":"main","name":"試験庁 管理者","to":null}','0fabb06a936776a780e153825b3266eeae7ea18a2994fb89988ac7767a0a2de1','6b0a149521801bc538dd170a59d2741f1e35eb4bedc040461a009149bea97a0a');
INSERT INTO "history" VALUES(11,'organisation:office',11,'office',NULL,'person.registered',1794790800000000,'desk_officer.desk',NULL,NULL,NULL,NULL,NULL,'{"name":"係 係"}','6b0a149521801bc538dd170a59d2741f1e35eb4bedc040461a009149bea97a0a','6920250b264f1d53cc14d65c54f7768f4419817a1dee8a2874d3f9b0445823e1');
INSERT INTO "history" VALUES(12,'organisation:office',12,'office',NULL,'seat.appointed',1794790800000000,'desk_officer.desk','desk_officer@desk',NULL,NULL,NULL,NULL,'{"from":"2026-11-18","kind":"main","name":"係 係","to":null}','6920250b264f1d53cc14d65c54f7768f4419817a1dee8a2874d3f9b0445823e1','71aa1f4aba7e02757c607b8e5f26dacdd840ce984b0f3b2a6a3d4002754ed74e');
INSERT INTO "history" VALUES(13,'organisation:office',13,'office',NULL,'definition.deployed',1794790800000000,'administrator.office',NULL,NULL,NULL,NULL,NULL,'{"number":1,"process":"office_approval"}','71aa1f4aba7e02757c607b8e5f26dacdd840ce984b0f3b2a6a3d4002754ed74e','6372f421d74932748dd8f289aafdb4caf1e0178880001106fac45425ac540ecc');
INSERT INTO "history" VALUES(14,'organisation:office',14,'office',NULL,'definition.deployed',1794790800000000,'administrator.office',NULL,NULL,NULL,NULL,NULL,'{"number":1,"process":"office_midway"}','6372f421d74932748dd8f289aafdb4caf1e0178880001106fac45425ac540ecc','080118a7fc3a0f91ae3167833698f4facfccf2440a4989b44fa55aba8c120cc6');
INSERT INTO "history" VALUES(15,'case:1',1,'office',1,'case.started',1794790800000000,'staff.a','staff@a','begin',NULL,'C-1',2,'{"facts":{"duty":[null,"yes"],"item_summary":[null,"書類の所在が分からない"],"known_at":[null,"2026-11-16T09:00+09:00"],"owning_unit":[null,"a"],"persons":[null,[{"label":"甲"},{"label":"乙"},{"label":"丙"}]],"report_days":[null,30],"reported_at":[null,"2026-11-16T10:00:00+09:00"],"reporter":[null,"staff.a"],"reporting_unit":[null,"a"],"wake_at":[null,"2026-12-10T09:00+09:00"]},"name":"手続","version":1}','0000000000000000000000000000000000000000000000000000000000000000','3951afbc24d6c25c5edf88b7ecc48920f360fd0745fcb3718fed379670be6a0b');
INSERT INTO "history" VALUES(16,'case:1',2,'office',1,'service.failed',1794790800000000,'system',NULL,'tell_desk',NULL,NULL,2,'{"attempt":1,"error":"「係」の役が、部署「係」にもその上位にもありません。","name":"係への知らせ","version":1}','3951afbc24d6c25c5edf88b7ecc48920f360fd0745fcb3718fed379670be6a0b','463871199e8818b6db53aa705fdc5a287c53bb7694bacf8bf4a3a4235bc10746');
INSERT INTO "history" VALUES(17,'case:1',3,'office',1,'task.opened',1794790800000000,'system','protection_manager@a','left',1,NULL,2,'{"due_at":1794801600000000,"name":"左","version":1}','463871199e8818b6db53aa705fdc5a287c53bb7694bacf8bf4a3a4235bc10746','0d6c24a637cd7fc182b6949751300d101a81f55410ba0047e49bb9912ce91bb4');
INSERT INTO "history" VALUES(18,'case:1',4,'office',1,'task.opened',1794790800000000,'system','division_protection_manager@north','right',2,NULL,2,'{"due_at":1795050000000000,"name":"右","version":1}','0d6c24a637cd7fc182b6949751300d101a81f55410ba0047e49bb9912ce91bb4','889ad9b72953a142bc9dc124404ab61a51fcb93fcca58519711e0ee97a5994c0');
INSERT INTO "history" VALUES(19,'case:1',5,'office',1,'task.opened',1794790800000000,'system','protection_manager@a','ask',3,NULL,2,'{"due_at":null,"name":"照会（1）","version":1}','889ad9b72953a142bc9dc124404ab61a51fcb93fcca58519711e0ee97a5994c0','622b7e2212f871b00d0501b3a3e6c355a37e56fd00c3d53403fdb14ba0712a4d');
INSERT INTO "history" VALUES(20,'case:1',6,'office',1,'task.opened',1794790800000000,'system','protection_manager@a','ask',4,NULL,2,'{"due_at":null,"name":"照会（2）","version":1}','622b7e2212f871b00d0501b3a3e6c355a37e56fd00c3d53403fdb14ba0712a4d','2fe1f06c93a9db122d704924c4fef009da15600aa3cc8daa402293b63a6fae2f');
INSERT INTO "history" VALUES(21,'case:1',7,'office',1,'task.opened',1794790800000000,'system','protection_manager@a','ask',5,NULL,2,'{"due_at":null,"name":"照会（3）","version":1}','2fe1f06c93a9db122d704924c4fef009da15600aa3cc8daa402293b63a6fae2f','1d02a22dafb8dd28a3f419fd500309596c50b883d38355860cbdba9b32219b3c');
INSERT INTO "history" VALUES(22,'case:1',8,'office',1,'task.opened',1794790800000000,'system','division_protection_manager@north','turns',6,NULL,2,'{"due_at":null,"name":"順の照会（1）","version":1}','1d02a22dafb8dd28a3f419fd500309596c50b883d38355860cbdba9b32219b3c','e51f96babfb3b90985b0f57ec0f159b6baee65811fa42252363b681d89c38afe');
INSERT INTO "history" VALUES(23,'case:1',9,'office',1,'task.opened',1794790800000000,'system','protection_manager@a','draft',7,NULL,2,'{"due_at":null,"name":"下書き","version":1}','e51f96babfb3b90985b0f57ec0f159b6baee65811fa42252363b681d89c38afe','8c2619337bfe6bf627cc19a6af7bf3c052e5875598efaa5b5f908bc3b0f884e0');
INSERT INTO "history" VALUES(24,'case:1',10,'office',1,'task.opened',1794790800000000,'system','protection_manager@a','called/visit',8,NULL,2,'{"due_at":null,"name":"訪問","version":1}','8c2619337bfe6bf627cc19a6af7bf3c052e5875598efaa5b5f908bc3b0f884e0','75a65b9c382f78df73fcf1595b7d5feb344eafd26bec55524155e88279a4f691');
INSERT INTO "history" VALUES(25,'case:1',11,'office',1,'clock.started',1794790800000000,'system',NULL,NULL,NULL,NULL,2,'{"because":[],"clock":"report","days":30,"due_on":"2026-12-15","name":"報告","started_on":"2026-11-16","version":1}','75a65b9c382f78df73fcf1595b7d5feb344eafd26bec55524155e88279a4f691','d459d10b9a42ce5044c335653f0adae0f2faa7f01fd4f0e78e24631cab8740a9');
INSERT INTO "history" VALUES(26,'case:2',1,'office',2,'case.started',1794790800000000,'staff.a','staff@a','apply',NULL,NULL,1,'{"facts":{"item_summary":[null,"持出しの申請"],"known_at":[null,"2026-11-16T10:00+09:00"],"owning_unit":[null,"a"],"reported_at":[null,"2026-11-16T10:00:00+09:00"],"reporter":[null,"staff.a"],"reporting_unit":[null,"a"]},"name":"手続","version":1}','0000000000000000000000000000000000000000000000000000000000000000','c8cf780b494c988877b88f4e876eee8e06f71579b1fef1e22bb2e946ba96b9cd');
INSERT INTO "history" VALUES(27,'case:2',2,'office',2,'task.opened',1794790800000000,'system','protection_manager@a','review',9,NULL,1,'{"due_at":null,"name":"審査","version":1}','c8cf780b494c988877b88f4e876eee8e06f71579b1fef1e22bb2e946ba96b9cd','f80e0a59852a1e2e5a9545879e2f315a7c832f00d6b3c69346d1b190570ee84a');
INSERT INTO "history" VALUES(28,'case:3',1,'office',3,'case.started',1794790800000000,'staff.a','staff@a','apply',NULL,NULL,1,'{"facts":{"item_summary":[null,"終わった申請"],"known_at":[null,"2026-11-16T10:00+09:00"],"owning_unit":[null,"a"],"reported_at":[null,"2026-11-16T10:00:00+09:00"],"reporter":[null,"staff.a"],"reporting_unit":[null,"a"]},"name":"手続","version":1}','0000000000000000000000000000000000000000000000000000000000000000','b082a96413feab06765bad08f557e23ba380fe07e6d91b1a2e8820998efd65a7');
INSERT INTO "history" VALUES(29,'case:3',2,'office',3,'task.opened',1794790800000000,'system','protection_manager@a','review',10,NULL,1,'{"due_at":null,"name":"審査","version":1}','b082a96413feab06765bad08f557e23ba380fe07e6d91b1a2e8820998efd65a7','63d7448c0d30260cbc734f7569860bacaae015dab223791d433bf5e2cd42e9be');
INSERT INTO "history" VALUES(30,'case:2',3,'office',2,'task.completed',1794790800000000,'protection_manager.a','protection_manager@a','review',9,'C-2',1,'{"facts":{"opinion":[null,"よい"]},"name":"審査","version":2}','f80e0a59852a1e2e5a9545879e2f315a7c832f00d6b3c69346d1b190570ee84a','3e5e95258d25cfbb3be63a7fbf45b651cab70aac04528c914d26e0add3d5db48');
INSERT INTO "history" VALUES(31,'case:2',4,'office',2,'task.opened',1794790800000000,'system','division_protection_manager@north','approve',11,NULL,1,'{"due_at":null,"name":"承認","version":2}','3e5e95258d25cfbb3be63a7fbf45b651cab70aac04528c914d26e0add3d5db48','7bd80a3997bc0e4484361ddc86fbb29818bab22c803d903da66a979ecb8dce34');
INSERT INTO "history" VALUES(32,'case:2',5,'office',2,'task.sent_back',1794790800000000,'division_protection_manager.north','division_protection_manager@north','approve',11,NULL,1,'{"name":"承認","reason":"期間を書き足してください","to":"審査","version":3}','7bd80a3997bc0e4484361ddc86fbb29818bab22c803d903da66a979ecb8dce34','7937280c5263327012a5d6e9f5a8f71faf0b3de7e7297e1886cdf3a302abdcfa');
INSERT INTO "history" VALUES(33,'case:2',6,'office',2,'task.opened',1794790800000000,'system','protection_manager@a','review',12,NULL,1,'{"due_at":null,"name":"審査","version":3}','7937280c5263327012a5d6e9f5a8f71faf0b3de7e7297e1886cdf3a302abdcfa','fb3ec8f295e46577bd678d22200eb8bf8ca39dfec4125750509880e61cf195e9');
INSERT INTO "history" VALUES(34,'case:3',3,'office',3,'task.completed',1794790800000000,'protection_manager.a','protection_manager@a','review',10,'C-2',1,'{"facts":{"opinion":[null,"よい"]},"name":"審査","version":2}','63d7448c0d30260cbc734f7569860bacaae015dab223791d433bf5e2cd42e9be','bc4abe546526a6323888f0e78038ec390ac862da816f3a3b6ae448c084f4f985');
INSERT INTO "history" VALUES(35,'case:3',4,'office',3,'task.opened',1794790800000000,'system','division_protection_manager@north','approve',13,NULL,1,'{"due_at":null,"name":"承認","version":2}','bc4abe546526a6323888f0e78038ec390ac862da816f3a3b6ae448c084f4f985','cf2be1a565148ed7e4a5d6580db07bdd5d0dbd68c483b26bf6fe803f2ab19179');
INSERT INTO "history" VALUES(36,'case:3',5,'office',3,'task.completed',1794790800000000,'division_protection_manager.north','division_protection_manager@north','approve',13,NULL,1,'{"facts":{"verdict":[null,"granted"]},"name":"承認","version":3}','cf2be1a565148ed7e4a5d6580db07bdd5d0dbd68c483b26bf6fe803f2ab19179','8116a4008edd994b64b8367887199dcc84ed45fa561ec4d0772f9a2b2d43b2bd');
INSERT INTO "history" VALUES(37,'case:3',6,'office',3,'case.ended',1794790800000000,'system',NULL,'approved',NULL,NULL,1,'{"outcome":"承認済み","version":3}','8116a4008edd994b64b8367887199dcc84ed45fa561ec4d0772f9a2b2d43b2bd','d052b43fcec8b4521db8d04e8c0b8e4f26551a3568c537fe142a53a0106976db');
INSERT INTO "history" VALUES(38,'case:1',12,'office',1,'task.completed',1794790800000000,'protection_manager.a','protection_manager@a','left',1,NULL,2,'{"facts":{"left_note":[null,"済み"]},"name":"左","version":2}','d459d10b9a42ce5044c335653f0adae0f2faa7f01fd4f0e78e24631cab8740a9','cd5d3c6c81b71d13f5807ee73583f1b59938a149ba1ca7357c5cc67baf7c9230');
INSERT INTO "history" VALUES(39,'case:1',13,'office',1,'task.completed',1794790800000000,'protection_manager.a','protection_manager@a','ask',3,NULL,2,'{"facts":{"ask":[null,[{"answer":"なし"}]]},"index":0,"name":"照会（1）","version":3}','cd5d3c6c81b71d13f5807ee73583f1b59938a149ba1ca7357c5cc67baf7c9230','dff3d5423a28e89b978af1bdc0aedad61e7c00d4e3caca3491dc87882bb10279');
INSERT INTO "history" VALUES(40,'case:1',14,'office',1,'task.completed',1794790800000000,'division_protection_manager.north','division_protection_manager@north','turns',6,NULL,2,'{"facts":{"turns":[null,[{"reply":"一"}]]},"index":0,"name":"順の照会（1）","version":4}','dff3d5423a28e89b978af1bdc0aedad61e7c00d4e3caca3491dc87882bb10279','50e105c8d6a3cf81decfcbacc05496b43dcbbe8ea630ab244043c4dd15ba357d');
INSERT INTO "history" VALUES(41,'case:1',15,'office',1,'task.opened',1794790800000000,'system','division_protection_manager@north','turns',14,NULL,2,'{"due_at":null,"name":"順の照会（2）","version":4}','50e105c8d6a3cf81decfcbacc05496b43dcbbe8ea630ab244043c4dd15ba357d','3b1c4989264685ef8fcc62e7b5b1ee1fc7d3226fcc5abe7533519001adcefc6a');
INSERT INTO "history" VALUES(42,'case:1',16,'office',1,'task.completed',1794790800000000,'protection_manager.a','protection_manager@a','draft',7,NULL,2,'{"facts":{},"name":"下書き","version":5}','3b1c4989264685ef8fcc62e7b5b1ee1fc7d3226fcc5abe7533519001adcefc6a','c54f741287493ce9c4c801ffc0b0889c35003ce86e853f874e75208e2df77578');
INSERT INTO "history" VALUES(43,'case:1',17,'office',1,'task.opened',1794790800000000,'system','division_protection_manager@north','confirm',15,NULL,2,'{"due_at":null,"name":"確認","version":5}','c54f741287493ce9c4c801ffc0b0889c35003ce86e853f874e75208e2df77578','e27135a86c2ccc9b02cbe2f4a8a7cf1ecae082a06b41149547f4699614687c64');
INSERT INTO "history" VALUES(44,'case:1',18,'office',1,'service.failed',1794790860000000,'system',NULL,'tell_desk',NULL,NULL,2,'{"attempt":2,"error":"「係」の役が、部署「係」にもその上位にもありません。","name":"係への知らせ","version":6}','e27135a86c2ccc9b02cbe2f4a8a7cf1ecae082a06b41149547f4699614687c64','6ae8d282cd220013e0b953bde9fb07e22f509cdb1d2a7f70b0ad61494143e538');
INSERT INTO "history" VALUES(45,'case:1',19,'office',1,'service.failed',1794791160000000,'system',NULL,'tell_desk',NULL,NULL,2,'{"attempt":3,"error":"「係」の役が、部署「係」にもその上位にもありません。","name":"係への知らせ","version":6}','6ae8d282cd220013e0b953bde9fb07e22f509cdb1d2a7f70b0ad61494143e538','b70d392d4597c457a2df9ceeebd80cde76a31ecbf0e1988f5b866fa6b6dddfab');
INSERT INTO "history" VALUES(46,'case:1',20,'office',1,'service.failed',1794792060000000,'system',NULL,'tell_desk',NULL,NULL,2,'{"attempt":4,"error":"「係」の役が、部署「係」にもその上位にもありません。","name":"係への知らせ","version":6}','b70d392d4597c457a2df9ceeebd80cde76a31ecbf0e1988f5b866fa6b6dddfab','bcede54f46e66992d92d6137b7c5d7c024d387d7385a2ca1d73cfa3f01e599e7');
INSERT INTO "history" VALUES(47,'case:1',21,'office',1,'service.failed',1794795660000000,'system',NULL,'tell_desk',NULL,NULL,2,'{"attempt":5,"error":"「係」の役が、部署「係」にもその上位にもありません。","name":"係への知らせ","version":6}','bcede54f46e66992d92d6137b7c5d7c024d387d7385a2ca1d73cfa3f01e599e7','803d3e7cf80a746211186015163e2a5a9b2c503efc2053fe504a029e840da354');
INSERT INTO "history" VALUES(48,'case:1',22,'office',1,'service.failed',1794817260000000,'system',NULL,'tell_desk',NULL,NULL,2,'{"attempt":6,"error":"「係」の役が、部署「係」にもその上位にもありません。","name":"係への知らせ","version":6}','803d3e7cf80a746211186015163e2a5a9b2c503efc2053fe504a029e840da354','d263db279873a645b640161af106eedb2639beeef88c768361c10aa0a5c9ceb9');
INSERT INTO "history" VALUES(49,'case:1',23,'office',1,'timer.fired',1794877200000000,'system',NULL,'again',NULL,NULL,2,'{"facts":{},"name":"","version":6}','d263db279873a645b640161af106eedb2639beeef88c768361c10aa0a5c9ceb9','3905e8f7c97a8e19f26a02f247885c654664350c617d6e49525ba78098b51386');
INSERT INTO "history" VALUES(50,'case:1',24,'office',1,'task.reminded',1794877200000000,'system',NULL,NULL,2,NULL,2,'{"name":"右","told":["北部 部課等保護管理者"],"version":7}','3905e8f7c97a8e19f26a02f247885c654664350c617d6e49525ba78098b51386','d27c3c44f91aa2ba0275682849ba2136c798ba7f729e5c1d55478e9581af40cd');
INSERT INTO "history" VALUES(51,'case:1',25,'office',1,'action.done',1794913200000000,'protection_manager.a','protection_manager@a','amend',NULL,NULL,2,'{"facts":{"amount":[null,150]},"name":"事実の更新","version":7}','d27c3c44f91aa2ba0275682849ba2136c798ba7f729e5c1d55478e9581af40cd','7ad2022c9800d9aa4e6509cbdf25483b9b87e56c5896135c3e8124da5d3cf886');
INSERT INTO "history" VALUES(52,'case:1',26,'office',1,'service.failed',1794913200000000,'system',NULL,'tell_large',NULL,NULL,2,'{"attempt":1,"error":"「係」の役が、部署「係」にもその上位にもありません。","name":"大きいことの知らせ","version":7}','7ad2022c9800d9aa4e6509cbdf25483b9b87e56c5896135c3e8124da5d3cf886','a7ebc92e34e245598cf37e2ecc12d5c121ce12f5de887600b94528f282d35c92');
INSERT INTO "history" VALUES(53,'case:1',27,'office',1,'service.failed',1794913260000000,'system',NULL,'tell_large',NULL,NULL,2,'{"attempt":2,"error":"「係」の役が、部署「係」にもその上位にもありません。","name":"大きいことの知らせ","version":8}','a7ebc92e34e245598cf37e2ecc12d5c121ce12f5de887600b94528f282d35c92','bb5825904f41af215ae7087b2ea8724ac5c0bcf019939572781ae4060920ce3e');
INSERT INTO "history" VALUES(54,'case:1',28,'office',1,'service.failed',1794913560000000,'system',NULL,'tell_large',NULL,NULL,2,'{"attempt":3,"error":"「係」の役が、部署「係」にもその上位にもありません。","name":"大きいことの知らせ","version":8}','bb5825904f41af215ae7087b2ea8724ac5c0bcf019939572781ae4060920ce3e','854c310869b6d558f4de0bb1091300b46f865562347e46118c61b2890d8238bc');
CREATE TABLE holding (
	id INTEGER NOT NULL, 
	person VARCHAR(64) NOT NULL, 
	organisation VARCHAR(32) NOT NULL, 
	seat VARCHAR(160) NOT NULL, 
	kind VARCHAR(16) DEFAULT 'main' NOT NULL, 
	valid_from DATE NOT NULL, 
	valid_to DATE, 
	recorded_at BIGINT NOT NULL, 
	CONSTRAINT pk_holding PRIMARY KEY (id), 
	CONSTRAINT ck_holding_kind CHECK (kind IN ('main', 'concurrent', 'acting', 'deputy')), 
	CONSTRAINT ck_holding_period CHECK (valid_to IS NULL OR valid_to >= valid_from), 
	CONSTRAINT fk_holding_person FOREIGN KEY(person) REFERENCES person (id)
);
INSERT INTO "holding" VALUES(1,'staff.a','office','staff@a','main','2022-04-01',NULL,1794790800000000);
INSERT INTO "holding" VALUES(2,'protection_manager.a','office','protection_manager@a','main','2022-04-01',NULL,1794790800000000);
INSERT INTO "holding" VALUES(3,'division_protection_manager.north','office','division_protection_manager@north','main','2022-04-01',NULL,1794790800000000);
INSERT INTO "holding" VALUES(4,'general_protection_manager.office','office','general_protection_manager@office','main','2022-04-01',NULL,1794790800000000);
INSERT INTO "holding" VALUES(5,'administrator.office','office','administrator@office','main','2022-04-01',NULL,1794790800000000);
INSERT INTO "holding" VALUES(6,'desk_officer.desk','office','desk_officer@desk','main','2026-11-18',NULL,1794790800000000);
CREATE TABLE job (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	case_id INTEGER, 
	kind VARCHAR(30) NOT NULL, 
	"key" VARCHAR(240) NOT NULL, 
	run_at BIGINT, 
	attempts INTEGER DEFAULT '0' NOT NULL, 
	payload TEXT NOT NULL, 
	error TEXT
);
INSERT INTO "job" VALUES(1,1,'service','wait:11:tell_desk',NULL,6,'{"wait": "11:tell_desk", "step": "係への知らせ", "since": 1794790800000000, "tried": 1794817260000000, "automatic": 6}','「係」の役が、部署「係」にもその上位にもありません。');
INSERT INTO "job" VALUES(3,1,'timer','wait:10:sleep',1796860800000000,0,'{"wait": "10:sleep"}',NULL);
INSERT INTO "job" VALUES(4,1,'timer','wait:11:give_up',1799974800000000,0,'{"wait": "11:give_up"}',NULL);
INSERT INTO "job" VALUES(5,1,'timer','wait:12:inner_late',1802566800000000,0,'{"wait": "12:inner_late"}',NULL);
INSERT INTO "job" VALUES(6,1,'timer','wait:16:unanswered',1796518800000000,0,'{"wait": "16:unanswered"}',NULL);
INSERT INTO "job" VALUES(10,1,'escalate','task:2:escalate',1795050000000000,0,'{"task": 2}',NULL);
INSERT INTO "job" VALUES(11,1,'warn','clock:report:0',1797033600000000,0,'{"clock": "report", "n": 0}',NULL);
INSERT INTO "job" VALUES(12,1,'warn','clock:report:1',1797292800000000,0,'{"clock": "report", "n": 1}',NULL);
INSERT INTO "job" VALUES(13,1,'overdue','clock:report:due',1797346800000000,0,'{"clock": "report"}',NULL);
INSERT INTO "job" VALUES(14,1,'timer','wait:3:again',1794963600000000,0,'{"wait": "3:again"}',NULL);
INSERT INTO "job" VALUES(15,1,'service','wait:31:tell_large',1794914460000000,3,'{"wait": "31:tell_large", "step": "大きいことの知らせ", "since": 1794913200000000, "tried": 1794913560000000, "automatic": 3}','「係」の役が、部署「係」にもその上位にもありません。');
CREATE TABLE notice (
	id INTEGER NOT NULL, 
	organisation VARCHAR(32) NOT NULL, 
	cause VARCHAR(240) NOT NULL, 
	person VARCHAR(64) NOT NULL, 
	template VARCHAR(60) NOT NULL, 
	case_id INTEGER, 
	task_id INTEGER, 
	step VARCHAR(200) NOT NULL, 
	created_at BIGINT NOT NULL, 
	read_at BIGINT, 
	mail_state VARCHAR(16) NOT NULL, 
	mail_at BIGINT, 
	mail_error TEXT, 
	message_id VARCHAR(200) NOT NULL, 
	CONSTRAINT pk_notice PRIMARY KEY (id), 
	CONSTRAINT ck_notice_mail_state CHECK (mail_state IN ('queued', 'sent', 'failed', 'none')), 
	CONSTRAINT fk_notice_person FOREIGN KEY(person) REFERENCES person (id), 
	CONSTRAINT uq_notice_cause_person UNIQUE (cause, person)
);
INSERT INTO "notice" VALUES(1,'office','task:1:opened','protection_manager.a','task_opened',1,1,'左',1794790800000000,NULL,'none',NULL,NULL,'<task.1.opened.protection_manager.a@example.go.jp>');
INSERT INTO "notice" VALUES(2,'office','task:2:opened','division_protection_manager.north','task_opened',1,2,'右',1794790800000000,NULL,'none',NULL,NULL,'<task.2.opened.division_protection_manager.north@example.go.jp>');
INSERT INTO "notice" VALUES(3,'office','task:3:opened','protection_manager.a','task_opened',1,3,'照会（1）',1794790800000000,NULL,'none',NULL,NULL,'<task.3.opened.protection_manager.a@example.go.jp>');
INSERT INTO "notice" VALUES(4,'office','task:4:opened','protection_manager.a','task_opened',1,4,'照会（2）',1794790800000000,NULL,'none',NULL,NULL,'<task.4.opened.protection_manager.a@example.go.jp>');
INSERT INTO "notice" VALUES(5,'office','task:5:opened','protection_manager.a','task_opened',1,5,'照会（3）',1794790800000000,NULL,'none',NULL,NULL,'<task.5.opened.protection_manager.a@example.go.jp>');
INSERT INTO "notice" VALUES(6,'office','task:6:opened','division_protection_manager.north','task_opened',1,6,'順の照会（1）',1794790800000000,NULL,'none',NULL,NULL,'<task.6.opened.division_protection_manager.north@example.go.jp>');
INSERT INTO "notice" VALUES(7,'office','task:7:opened','protection_manager.a','task_opened',1,7,'下書き',1794790800000000,NULL,'none',NULL,NULL,'<task.7.opened.protection_manager.a@example.go.jp>');
INSERT INTO "notice" VALUES(8,'office','task:8:opened','protection_manager.a','task_opened',1,8,'訪問',1794790800000000,NULL,'none',NULL,NULL,'<task.8.opened.protection_manager.a@example.go.jp>');
INSERT INTO "notice" VALUES(9,'office','task:9:opened','protection_manager.a','task_opened',2,9,'審査',1794790800000000,NULL,'none',NULL,NULL,'<task.9.opened.protection_manager.a@example.go.jp>');
INSERT INTO "notice" VALUES(10,'office','task:10:opened','protection_manager.a','task_opened',3,10,'審査',1794790800000000,NULL,'none',NULL,NULL,'<task.10.opened.protection_manager.a@example.go.jp>');
INSERT INTO "notice" VALUES(11,'office','task:11:opened','division_protection_manager.north','task_opened',2,11,'承認',1794790800000000,NULL,'none',NULL,NULL,'<task.11.opened.division_protection_manager.north@example.go.jp>');
INSERT INTO "notice" VALUES(12,'office','task:12:opened','protection_manager.a','task_sent_back',2,12,'審査',1794790800000000,NULL,'none',NULL,NULL,'<task.12.opened.protection_manager.a@example.go.jp>');
INSERT INTO "notice" VALUES(13,'office','task:13:opened','division_protection_manager.north','task_opened',3,13,'承認',1794790800000000,NULL,'none',NULL,NULL,'<task.13.opened.division_protection_manager.north@example.go.jp>');
INSERT INTO "notice" VALUES(14,'office','case:3:ended','staff.a','case_ended',3,NULL,'承認済み',1794790800000000,NULL,'none',NULL,NULL,'<case.3.ended.staff.a@example.go.jp>');
INSERT INTO "notice" VALUES(15,'office','task:15:opened','division_protection_manager.north','task_opened',1,15,'確認',1794790800000000,NULL,'none',NULL,NULL,'<task.15.opened.division_protection_manager.north@example.go.jp>');
INSERT INTO "notice" VALUES(16,'office','case:1:wait:11:tell_desk:stopped','administrator.office','service_stopped',1,NULL,'係への知らせ',1794817260000000,NULL,'none',NULL,NULL,'<case.1.wait.11.tell_desk.stopped.administrator.office@example.go.jp>');
INSERT INTO "notice" VALUES(17,'office','case:1:remember:6','protection_manager.a','step_told',1,NULL,'毎日の知らせ',1794877200000000,NULL,'none',NULL,NULL,'<case.1.remember.6.protection_manager.a@example.go.jp>');
INSERT INTO "notice" VALUES(18,'office','task:2:remind','division_protection_manager.north','remind',1,2,'右',1794877200000000,NULL,'none',NULL,NULL,'<task.2.remind.division_protection_manager.north@example.go.jp>');
CREATE TABLE person (
	id VARCHAR(64) NOT NULL, 
	organisation VARCHAR(32) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	email VARCHAR(254), 
	password_hash VARCHAR(200), 
	failed_sign_ins INTEGER DEFAULT '0' NOT NULL, 
	locked_until BIGINT, 
	disabled_at BIGINT, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_person PRIMARY KEY (id)
);
INSERT INTO "person" VALUES('staff.a','office','第一課 職員',NULL,NULL,0,NULL,NULL,1794790800000000);
INSERT INTO "person" VALUES('protection_manager.a','office','第一課 保護管理者',NULL,NULL,0,NULL,NULL,1794790800000000);
INSERT INTO "person" VALUES('division_protection_manager.north','office','北部 部課等保護管理者',NULL,NULL,0,NULL,NULL,1794790800000000);
INSERT INTO "person" VALUES('general_protection_manager.office','office','試験庁 総括保護管理者',NULL,NULL,0,NULL,NULL,1794790800000000);
INSERT INTO "person" VALUES('administrator.office','office','試験庁 管理者',NULL,NULL,0,NULL,NULL,1794790800000000);
INSERT INTO "person" VALUES('desk_officer.desk','office','係 係',NULL,NULL,0,NULL,NULL,1794790800000000);
CREATE TABLE session (
	id VARCHAR(64) NOT NULL, 
	person VARCHAR(64) NOT NULL, 
	created_at BIGINT NOT NULL, 
	seen_at BIGINT NOT NULL, 
	idle_seconds INTEGER NOT NULL, 
	ends_at BIGINT NOT NULL, 
	ended_at BIGINT, 
	CONSTRAINT pk_session PRIMARY KEY (id), 
	CONSTRAINT fk_session_person FOREIGN KEY(person) REFERENCES person (id)
);
CREATE TABLE statutory_clock (
	id INTEGER NOT NULL, 
	case_id INTEGER NOT NULL, 
	clock VARCHAR(60) NOT NULL, 
	name VARCHAR(100) NOT NULL, 
	basis VARCHAR(300) NOT NULL, 
	days INTEGER NOT NULL, 
	started_on DATE NOT NULL, 
	due_on DATE NOT NULL, 
	due_at BIGINT NOT NULL, 
	warn_at TEXT NOT NULL, 
	met_at BIGINT, 
	stopped_at BIGINT, 
	CONSTRAINT pk_statutory_clock PRIMARY KEY (id), 
	CONSTRAINT fk_statutory_clock_case_id FOREIGN KEY(case_id) REFERENCES case_file (id), 
	CONSTRAINT uq_statutory_clock_case_id_clock UNIQUE (case_id, clock)
);
INSERT INTO "statutory_clock" VALUES(1,1,'report','報告','試験法第1条',30,'2026-11-16','2026-12-15',1797346800000000,'[1797033600000000, 1797292800000000]',NULL,NULL);
CREATE TABLE submission (
	person VARCHAR(64) NOT NULL, 
	token VARCHAR(64) NOT NULL, 
	case_id INTEGER, 
	at BIGINT NOT NULL, 
	CONSTRAINT pk_submission PRIMARY KEY (person, token), 
	CONSTRAINT fk_submission_case_id FOREIGN KEY(case_id) REFERENCES case_file (id), 
	CONSTRAINT fk_submission_person FOREIGN KEY(person) REFERENCES person (id)
);
CREATE TABLE task (
	id INTEGER NOT NULL, 
	case_id INTEGER NOT NULL, 
	organisation VARCHAR(32) NOT NULL, 
	wait VARCHAR(200) NOT NULL, 
	node VARCHAR(200) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	seat VARCHAR(160) NOT NULL, 
	unit VARCHAR(120) NOT NULL, 
	process_id VARCHAR(120) NOT NULL, 
	urgency VARCHAR(16) NOT NULL, 
	state VARCHAR(16) DEFAULT 'open' NOT NULL, 
	version INTEGER DEFAULT '1' NOT NULL, 
	opened_at BIGINT NOT NULL, 
	due_at BIGINT NOT NULL, 
	statutory BOOLEAN DEFAULT 0 NOT NULL, 
	claimed_by VARCHAR(64), 
	claimed_at BIGINT, 
	closed_at BIGINT, 
	closed_by VARCHAR(64), 
	closed_seat VARCHAR(160), 
	sent_back_reason TEXT, 
	CONSTRAINT pk_task PRIMARY KEY (id), 
	CONSTRAINT ck_task_state CHECK (state IN ('open', 'done', 'sent_back', 'cancelled')), 
	CONSTRAINT fk_task_case_id FOREIGN KEY(case_id) REFERENCES case_file (id), 
	CONSTRAINT fk_task_claimed_by FOREIGN KEY(claimed_by) REFERENCES person (id)
);
INSERT INTO "task" VALUES(1,1,'office','2:left','left','左','protection_manager@a','a','office_midway','at_once','done',2,1794790800000000,1794801600000000,0,NULL,NULL,1794790800000000,'protection_manager.a','protection_manager@a',NULL);
INSERT INTO "task" VALUES(2,1,'office','3:right','right','右','division_protection_manager@north','a','office_midway','promptly','open',1,1794790800000000,1795050000000000,0,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "task" VALUES(3,1,'office','17:ask','ask','照会（1）','protection_manager@a','a','office_midway','plain','done',2,1794790800000000,253402214400000000,0,NULL,NULL,1794790800000000,'protection_manager.a','protection_manager@a',NULL);
INSERT INTO "task" VALUES(4,1,'office','18:ask','ask','照会（2）','protection_manager@a','a','office_midway','plain','open',1,1794790800000000,253402214400000000,0,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "task" VALUES(5,1,'office','19:ask','ask','照会（3）','protection_manager@a','a','office_midway','plain','open',1,1794790800000000,253402214400000000,0,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "task" VALUES(6,1,'office','20:turns','turns','順の照会（1）','division_protection_manager@north','a','office_midway','plain','done',2,1794790800000000,253402214400000000,0,NULL,NULL,1794790800000000,'division_protection_manager.north','division_protection_manager@north',NULL);
INSERT INTO "task" VALUES(7,1,'office','21:draft','draft','下書き','protection_manager@a','a','office_midway','plain','done',2,1794790800000000,253402214400000000,0,NULL,NULL,1794790800000000,'protection_manager.a','protection_manager@a',NULL);
INSERT INTO "task" VALUES(8,1,'office','22:called/visit','called/visit','訪問','protection_manager@a','a','office_midway','plain','open',1,1794790800000000,253402214400000000,0,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "task" VALUES(9,2,'office','2:review','review','審査','protection_manager@a','a','office_approval','plain','done',2,1794790800000000,253402214400000000,0,NULL,NULL,1794790800000000,'protection_manager.a','protection_manager@a',NULL);
INSERT INTO "task" VALUES(10,3,'office','2:review','review','審査','protection_manager@a','a','office_approval','plain','done',2,1794790800000000,253402214400000000,0,NULL,NULL,1794790800000000,'protection_manager.a','protection_manager@a',NULL);
INSERT INTO "task" VALUES(11,2,'office','3:approve','approve','承認','division_protection_manager@north','a','office_approval','plain','sent_back',2,1794790800000000,253402214400000000,0,NULL,NULL,1794790800000000,'division_protection_manager.north','division_protection_manager@north',NULL);
INSERT INTO "task" VALUES(12,2,'office','4:review','review','審査','protection_manager@a','a','office_approval','plain','open',1,1794790800000000,253402214400000000,0,NULL,NULL,NULL,NULL,NULL,'期間を書き足してください');
INSERT INTO "task" VALUES(13,3,'office','3:approve','approve','承認','division_protection_manager@north','a','office_approval','plain','done',2,1794790800000000,253402214400000000,0,NULL,NULL,1794790800000000,'division_protection_manager.north','division_protection_manager@north',NULL);
INSERT INTO "task" VALUES(14,1,'office','24:turns','turns','順の照会（2）','division_protection_manager@north','a','office_midway','plain','open',1,1794790800000000,253402214400000000,0,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "task" VALUES(15,1,'office','25:confirm','confirm','確認','division_protection_manager@north','a','office_midway','plain','open',1,1794790800000000,253402214400000000,0,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE task_read (
	task_id INTEGER NOT NULL, 
	person VARCHAR(64) NOT NULL, 
	read_at BIGINT NOT NULL, 
	CONSTRAINT pk_task_read PRIMARY KEY (task_id, person), 
	CONSTRAINT fk_task_read_person FOREIGN KEY(person) REFERENCES person (id), 
	CONSTRAINT fk_task_read_task_id FOREIGN KEY(task_id) REFERENCES task (id)
);
CREATE TABLE worker_heartbeat (
	worker VARCHAR(80) NOT NULL, 
	seen_at BIGINT NOT NULL, 
	CONSTRAINT pk_worker_heartbeat PRIMARY KEY (worker)
);
CREATE INDEX ix_history_case ON history (case_id, id);
CREATE INDEX ix_job_case ON job (case_id);
CREATE INDEX ix_job_due ON job (run_at, id) WHERE run_at IS NOT NULL;
CREATE INDEX ix_person_organisation ON person (organisation);
CREATE INDEX ix_case_file_reporter ON case_file (reporter, id);
CREATE INDEX ix_holding_person ON holding (person);
CREATE INDEX ix_holding_seat ON holding (organisation, seat);
CREATE INDEX ix_notice_person ON notice (person, id);
CREATE INDEX ix_session_person ON session (person);
CREATE INDEX ix_case_seat_seat ON case_seat (organisation, seat, case_id);
CREATE INDEX ix_task_case ON task (case_id, state);
CREATE INDEX ix_task_inbox ON task (organisation, seat, due_at, id) WHERE state = 'open';
CREATE INDEX ix_attachment_case ON attachment (case_id);
CREATE TRIGGER history_no_update BEFORE UPDATE ON history BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;
CREATE TRIGGER history_no_delete BEFORE DELETE ON history BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('history',54);
INSERT INTO "sqlite_sequence" VALUES('job',15);
COMMIT;
