"""Makes the CloudFormation stack in an imitation of AWS and prints what it gave.

stack.py ENDPOINT irsa|pod-identity|role
"""

import ast
import json
import sys

import boto3

from common import ROOT

REGION, CLUSTER = "eu-central-1", "demo"
BRIDGE = "arn:aws:iam::999900001111:role/kube-audit-bridge"
ISSUER = f"https://oidc.eks.{REGION}.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"

endpoint, identity = sys.argv[1:]
template = (ROOT / "cloudformation/eks-audit-reader.yaml").read_text()


def client(service):
    return boto3.client(service, endpoint_url=endpoint, region_name=REGION, aws_access_key_id="fake", aws_secret_access_key="fake")


parameters = {"EksClusterName": CLUSTER}
if identity == "irsa":
    parameters["OidcIssuerUrl"] = ISSUER
if identity == "role":
    parameters["BridgeRoleArn"] = BRIDGE
formation = client("cloudformation")
formation.create_stack(
    StackName=f"reader-{identity}", TemplateBody=template, Capabilities=["CAPABILITY_IAM"],
    Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()])
stack = formation.describe_stacks(StackName=f"reader-{identity}")["Stacks"][0]
outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
role = client("iam").get_role(RoleName=outputs["RoleName"])["Role"]
policy = client("iam").get_role_policy(RoleName=outputs["RoleName"], PolicyName="read-audit-log")["PolicyDocument"]
trust = role["AssumeRolePolicyDocument"]


def read(document):
    """moto gives policies of templates as Python writes them."""
    return ast.literal_eval(document) if isinstance(document, str) else document


print(json.dumps({"status": stack["StackStatus"], "role": outputs["RoleArn"], "trust": read(trust), "policy": read(policy)}))
